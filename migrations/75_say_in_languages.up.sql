-- What organisations say again and again, in each of their people's languages; and whom a topic reaches.
CREATE TABLE notifications.template (
  tenant_id  uuid             NOT NULL,
  id         uuid             NOT NULL,
  name       text COLLATE "C" NOT NULL,
  language   text COLLATE "C" NOT NULL,
  title      text             NOT NULL,
  body       text             NOT NULL,
  url        text,
  created_at timestamptz(3)   NOT NULL DEFAULT now(),
  updated_at timestamptz(3)   NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, name, language)
);
CREATE INDEX template_age ON notifications.template (tenant_id, created_at, id);

CREATE TABLE notifications.topic_subscriber (
  tenant_id  uuid             NOT NULL,
  topic      text COLLATE "C" NOT NULL,
  user_id    uuid             NOT NULL,
  created_at timestamptz(3)   NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, topic, user_id)
);
CREATE INDEX topic_subscriber_age ON notifications.topic_subscriber (tenant_id, topic, created_at, user_id);
CREATE INDEX topic_subscriber_person ON notifications.topic_subscriber (tenant_id, user_id, topic);

SELECT db.protect_tenant_table('notifications.template');
SELECT db.protect_tenant_table('notifications.topic_subscriber');

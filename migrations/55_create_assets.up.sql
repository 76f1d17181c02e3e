-- Files of organisations (services/assets/README.md). Their bytes are in the bucket, in parts named by the content's id; here is what they are.
CREATE SCHEMA assets;

-- One row an organisation, which every change of its files locks first: counts are exact, and two changes never meet at a content.
CREATE TABLE assets.usage (
  tenant_id uuid    PRIMARY KEY,
  -- Versions of all its files.
  files     integer NOT NULL DEFAULT 0 CHECK (files >= 0),
  -- Of contents, each once.
  bytes     bigint  NOT NULL DEFAULT 0 CHECK (bytes >= 0)
);

-- Equal bytes of an organisation are kept once, however many files have them.
CREATE TABLE assets.content (
  id         uuid        PRIMARY KEY,
  tenant_id  uuid        NOT NULL,
  sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
  bytes      bigint      NOT NULL CHECK (bytes > 0),
  parts      integer     NOT NULL CHECK (parts > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT content_sha256_key UNIQUE (tenant_id, sha256)
);

--   pending → ready | failed      whoever reads its text has not been at it, made a document of it, or gave up: `reason`
--   stored                        nothing to read: a picture, an archive
-- A new version begins anew.
CREATE TABLE assets.asset (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL,
  name        text        NOT NULL,
  version     integer     NOT NULL DEFAULT 1 CHECK (version > 0),
  status      text        NOT NULL CHECK (status IN ('pending', 'ready', 'failed', 'stored')),
  reason      text,
  document_id uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  CHECK ((status = 'failed') = (reason IS NOT NULL)),
  CONSTRAINT asset_name_key UNIQUE (tenant_id, name)
);
CREATE INDEX asset_tenant ON assets.asset (tenant_id, created_at DESC, id DESC);

CREATE TABLE assets.version (
  tenant_id  uuid        NOT NULL,
  asset_id   uuid        NOT NULL REFERENCES assets.asset (id),
  version    integer     NOT NULL CHECK (version > 0),
  content_id uuid        NOT NULL REFERENCES assets.content (id),
  media_type text        NOT NULL,
  -- As in the headers of messages.
  created_by text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (asset_id, version)
);
CREATE INDEX version_tenant ON assets.version (tenant_id, asset_id, version);
CREATE INDEX version_content ON assets.version (content_id);

-- Uploads under way: the parts that the bucket may have of them. The row goes with the commit; of one that is left the upkeep removes the parts.
CREATE TABLE assets.upload (
  id         uuid        PRIMARY KEY,
  tenant_id  uuid        NOT NULL,
  parts      integer     NOT NULL CHECK (parts > 0),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX upload_tenant ON assets.upload (tenant_id, id);
CREATE INDEX upload_age ON assets.upload (created_at);

SELECT db.protect_tenant_table('assets.usage');
SELECT db.protect_tenant_table('assets.content');
SELECT db.protect_tenant_table('assets.asset');
SELECT db.protect_tenant_table('assets.version');
SELECT db.protect_tenant_table('assets.upload');

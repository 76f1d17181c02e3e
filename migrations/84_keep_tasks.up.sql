-- Tasks that nobody cancels: a notice that warns an account's owner, a removal that was promised. Their jobs say so in a header.
ALTER TABLE queues.task ADD COLUMN is_kept boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION queues.task_enter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO queues.task (id, tenant_id, job, actor, state, is_kept)
  VALUES (NEW.id, NEW.tenant_id, NEW.type, coalesce(NEW.headers ->> 'actor', 'system'), 'waiting', NEW.headers ? 'job-kept')
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END;
$$;

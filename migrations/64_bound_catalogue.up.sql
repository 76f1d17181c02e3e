-- What lists, moves and deletions of the catalogue cost has a bound (services/records/README.md).

-- Each column that a list filters by begins an index behind the tenant.
CREATE INDEX product_currency ON records.product (tenant_id, currency, created_at, id) WHERE deleted_at IS NULL;

-- What is deleted is listed by when it went.
DROP INDEX records.category_deleted;
DROP INDEX records.product_deleted;
CREATE INDEX category_deleted ON records.category (tenant_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX product_deleted ON records.product (tenant_id, deleted_at, id) WHERE deleted_at IS NOT NULL;

-- One that is removed takes nothing along: a statement removes as many rows as it says. Those below go before it.
ALTER TABLE records.category DROP CONSTRAINT category_parent_fkey;
ALTER TABLE records.category ADD CONSTRAINT category_parent_fkey
  FOREIGN KEY (tenant_id, parent_id) REFERENCES records.category (tenant_id, id);

-- Nobody reaches the end of these.
ALTER TABLE records.category ALTER COLUMN version TYPE bigint;
ALTER TABLE records.product ALTER COLUMN version TYPE bigint;

-- As it was (63_create_catalogue), but for a move's cost. What comes to stand no deeper than it stood needs no look at what is below
-- it; what comes to stand deeper is walked down for 10,000 categories, and refused if there are more.
-- Each step down goes by the index of parents, whatever the planner knows of the table: by BETWEEN, since what is equal needs no order.
CREATE OR REPLACE FUNCTION records.keep_category_in_tree() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
  above    integer;
  is_below boolean;
  before   integer := 0;
  below    integer := 0;
  seen     integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('records.category ' || NEW.tenant_id, 0));
  WITH RECURSIVE way_up AS (
    SELECT c.id, c.parent_id, 1 AS depth FROM records.category c
     WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.parent_id AND c.deleted_at IS NULL
    UNION ALL
    SELECT c.id, c.parent_id, w.depth + 1 FROM way_up w
      JOIN records.category c ON c.tenant_id = NEW.tenant_id AND c.id = w.parent_id
     WHERE w.id <> NEW.id
  ) SELECT max(depth), bool_or(id = NEW.id) INTO above, is_below FROM way_up;
  IF above IS NULL THEN
    RAISE EXCEPTION 'the parent does not live' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_parent_lives';
  END IF;
  IF is_below THEN
    RAISE EXCEPTION 'a category would stand below itself' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_is_no_cycle';
  END IF;
  -- One that comes back is empty: nothing living stood in it when it went, and nothing enters what is deleted.
  IF TG_OP = 'UPDATE' AND OLD.deleted_at IS NULL THEN
    WITH RECURSIVE way_up AS (
      SELECT OLD.parent_id AS id, 0 AS depth
      UNION ALL
      SELECT c.parent_id, w.depth + 1 FROM way_up w
        JOIN records.category c ON c.tenant_id = NEW.tenant_id AND c.id = w.id
    ) SELECT max(depth) INTO before FROM way_up;
    IF above > before THEN
      WITH RECURSIVE way_down AS (
        SELECT NEW.id AS id, 0 AS depth
        UNION ALL
        SELECT c.id, w.depth + 1 FROM way_down w
         CROSS JOIN LATERAL (SELECT c.id FROM records.category c
           WHERE c.tenant_id = NEW.tenant_id AND c.parent_id BETWEEN w.id AND w.id AND c.deleted_at IS NULL
           ORDER BY c.parent_id LIMIT 10002) c
      ) SELECT max(w.depth), count(*) INTO below, seen FROM (SELECT depth FROM way_down LIMIT 10002) w;
      IF seen > 10001 THEN
        RAISE EXCEPTION 'too much stands below the category' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_width';
      END IF;
    END IF;
  END IF;
  IF above + 1 + below > 32 THEN
    RAISE EXCEPTION 'the tree would be too deep' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_depth';
  END IF;
  RETURN NEW;
END
$$;

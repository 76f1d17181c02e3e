-- What organisations sell (services/records/README.md): products, in a tree of categories.
-- Keys begin with the tenant: no reference leaves it, and one index serves both. Moments are whole milliseconds, so that what
-- a page of a list ends with says exactly where the next begins. Text is ordered by code points: an index serves "begins with".
-- What is deleted keeps its row and can be restored. Unique keys and lists are of the living alone.
CREATE SCHEMA records;

CREATE TABLE records.category (
  tenant_id  uuid             NOT NULL,
  id         uuid             NOT NULL,
  parent_id  uuid,
  name       text COLLATE "C" NOT NULL,
  -- Counts up with each change: what ETag says and If-Match asks for.
  version    integer          NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at timestamptz(3)   NOT NULL,
  updated_at timestamptz(3)   NOT NULL,
  deleted_at timestamptz(3),
  PRIMARY KEY (tenant_id, id),
  -- Rows go with their organisation alone, and then all of them.
  CONSTRAINT category_parent_fkey FOREIGN KEY (tenant_id, parent_id) REFERENCES records.category (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX category_name_key ON records.category (tenant_id, parent_id, name) NULLS NOT DISTINCT WHERE deleted_at IS NULL;
CREATE INDEX category_children ON records.category (tenant_id, parent_id, created_at, id);
CREATE INDEX category_age ON records.category (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX category_name ON records.category (tenant_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX category_deleted ON records.category (tenant_id, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE records.product (
  tenant_id   uuid             NOT NULL,
  id          uuid             NOT NULL,
  sku         text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  description text,
  category_id uuid,
  -- In the currency's smallest unit (ISO 4217).
  price_minor bigint           NOT NULL CONSTRAINT product_price_check CHECK (price_minor >= 0),
  currency    text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  stock       integer          NOT NULL CONSTRAINT product_stock_check CHECK (stock >= 0),
  version     integer          NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at  timestamptz(3)   NOT NULL,
  updated_at  timestamptz(3)   NOT NULL,
  deleted_at  timestamptz(3),
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT product_category_fkey FOREIGN KEY (tenant_id, category_id) REFERENCES records.category (tenant_id, id)
)
-- Stock changes more often than anything else, and stands in no index: room for the next version of a row on its own page.
WITH (fillfactor = 85);
CREATE UNIQUE INDEX product_sku_key ON records.product (tenant_id, sku) WHERE deleted_at IS NULL;
CREATE INDEX product_age ON records.product (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX product_name ON records.product (tenant_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX product_price ON records.product (tenant_id, price_minor, id) WHERE deleted_at IS NULL;
CREATE INDEX product_category ON records.product (tenant_id, category_id, created_at, id);
CREATE INDEX product_deleted ON records.product (tenant_id, id) WHERE deleted_at IS NOT NULL;

-- The tree stays one, whoever writes: a category's parent lives, is nothing of what stands below it, and no way down is longer
-- than 32. Each look comes after the tree's lock, by a statement of its own, so it sees what was committed before.
CREATE FUNCTION records.keep_category_in_tree() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  above    integer;
  is_below boolean;
  below    integer := 0;
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
  IF TG_OP = 'UPDATE' THEN
    WITH RECURSIVE way_down AS (
      SELECT NEW.id AS id, 0 AS depth
      UNION ALL
      SELECT c.id, w.depth + 1 FROM way_down w
        JOIN records.category c ON c.tenant_id = NEW.tenant_id AND c.parent_id = w.id AND c.deleted_at IS NULL
    ) SELECT max(depth) INTO below FROM way_down;
  END IF;
  IF above + 1 + below > 32 THEN
    RAISE EXCEPTION 'the tree would be too deep' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_depth';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER category_enters_tree BEFORE INSERT ON records.category FOR EACH ROW
  WHEN (NEW.parent_id IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION records.keep_category_in_tree();
CREATE TRIGGER category_moves BEFORE UPDATE OF parent_id, deleted_at ON records.category FOR EACH ROW
  WHEN (NEW.parent_id IS NOT NULL AND NEW.deleted_at IS NULL
        AND (NEW.parent_id IS DISTINCT FROM OLD.parent_id OR OLD.deleted_at IS NOT NULL))
  EXECUTE FUNCTION records.keep_category_in_tree();

-- A living product's category lives. The row's lock is its reference's own; whoever deletes the category waits for it.
CREATE FUNCTION records.keep_product_in_category() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM 1 FROM records.category c WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.category_id AND c.deleted_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the category does not live' USING ERRCODE = 'check_violation', CONSTRAINT = 'product_category_lives';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER product_enters_category BEFORE INSERT ON records.product FOR EACH ROW
  WHEN (NEW.category_id IS NOT NULL AND NEW.deleted_at IS NULL) EXECUTE FUNCTION records.keep_product_in_category();
CREATE TRIGGER product_moves BEFORE UPDATE OF category_id, deleted_at ON records.product FOR EACH ROW
  WHEN (NEW.category_id IS NOT NULL AND NEW.deleted_at IS NULL
        AND (NEW.category_id IS DISTINCT FROM OLD.category_id OR OLD.deleted_at IS NOT NULL))
  EXECUTE FUNCTION records.keep_product_in_category();

-- What something living stands in is not deleted. The row's lock waits for products that were about to enter it: each holds it
-- (FOR KEY SHARE) until its own end, and sees afterwards that the category is gone.
CREATE FUNCTION records.keep_category_in_use() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('records.category ' || NEW.tenant_id, 0));
  PERFORM 1 FROM records.category c WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT 1 FROM records.category c WHERE c.tenant_id = NEW.tenant_id AND c.parent_id = NEW.id AND c.deleted_at IS NULL)
     OR EXISTS (SELECT 1 FROM records.product p WHERE p.tenant_id = NEW.tenant_id AND p.category_id = NEW.id AND p.deleted_at IS NULL) THEN
    RAISE EXCEPTION 'something stands in the category' USING ERRCODE = 'check_violation', CONSTRAINT = 'category_is_empty';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER category_goes BEFORE UPDATE OF deleted_at ON records.category FOR EACH ROW
  WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION records.keep_category_in_use();

SELECT db.protect_tenant_table('records.category');
SELECT db.protect_tenant_table('records.product');

-- What is ordered of what organisations sell (services/records/README.md). An item keeps what was agreed: it refers to no product,
-- which may change, be deleted and be gone, while the order stays.
--   pending → reserved → paid → confirmed, and from each but the last → cancelled or failed
CREATE TABLE records.sales_order (
  tenant_id           uuid             NOT NULL,
  id                  uuid             NOT NULL,
  state               text COLLATE "C" NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'reserved', 'paid', 'confirmed', 'cancelled', 'failed')),
  -- Why it was cancelled or failed, in one lower_snake word.
  reason              text COLLATE "C",
  -- Whoever orders calls it so.
  reference           text COLLATE "C",
  placed_by           uuid             NOT NULL,
  currency            text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  -- In the currency's smallest unit; what JavaScript counts exactly.
  total_minor         bigint           NOT NULL CONSTRAINT order_total_check CHECK (total_minor BETWEEN 0 AND 9007199254740991),
  item_count          integer          NOT NULL CHECK (item_count BETWEEN 1 AND 50),
  payment_id          text,
  -- What the amount is charged with: gone once it was, or will not be.
  payment_token       text,
  saga_id             uuid             NOT NULL,
  cancel_requested_at timestamptz(3),
  version             bigint           NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at          timestamptz(3)   NOT NULL,
  updated_at          timestamptz(3)   NOT NULL,
  deleted_at          timestamptz(3),
  PRIMARY KEY (tenant_id, id),
  CHECK ((state IN ('cancelled', 'failed')) = (reason IS NOT NULL)),
  CONSTRAINT order_token_goes CHECK (payment_token IS NULL OR state IN ('pending', 'reserved'))
)
-- Each comes through four states.
WITH (fillfactor = 70);
CREATE UNIQUE INDEX order_saga ON records.sales_order (tenant_id, saga_id);
CREATE INDEX order_age ON records.sales_order (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX order_state ON records.sales_order (tenant_id, state, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX order_placer ON records.sales_order (tenant_id, placed_by, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX order_reference ON records.sales_order (tenant_id, reference, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX order_total ON records.sales_order (tenant_id, total_minor, id) WHERE deleted_at IS NULL;
CREATE INDEX order_deleted ON records.sales_order (tenant_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX order_deletion ON records.sales_order (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE records.order_item (
  tenant_id        uuid             NOT NULL,
  order_id         uuid             NOT NULL,
  position         integer          NOT NULL CHECK (position BETWEEN 1 AND 50),
  product_id       uuid             NOT NULL,
  sku              text COLLATE "C" NOT NULL,
  name             text COLLATE "C" NOT NULL,
  quantity         integer          NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
  unit_price_minor bigint           NOT NULL CHECK (unit_price_minor >= 0),
  amount_minor     bigint           NOT NULL GENERATED ALWAYS AS (quantity * unit_price_minor) STORED,
  PRIMARY KEY (tenant_id, order_id, position),
  -- Stock is taken once for each.
  CONSTRAINT order_item_product_key UNIQUE (tenant_id, order_id, product_id),
  CONSTRAINT order_item_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES records.sales_order (tenant_id, id)
);

-- An order goes one way, whoever writes.
CREATE FUNCTION records.keep_order_states() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF NOT (NEW.state IN ('cancelled', 'failed') AND OLD.state IN ('pending', 'reserved', 'paid')
          OR (OLD.state, NEW.state) IN (('pending', 'reserved'), ('reserved', 'paid'), ('paid', 'confirmed'))) THEN
    RAISE EXCEPTION 'an order does not come from % to %', OLD.state, NEW.state
      USING ERRCODE = 'check_violation', CONSTRAINT = 'order_state_follows';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER order_changes_state BEFORE UPDATE OF state ON records.sales_order FOR EACH ROW
  WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION records.keep_order_states();

-- What is under way is not deleted: somebody's money or stock may be in it.
CREATE FUNCTION records.keep_order_under_way() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'the order is under way' USING ERRCODE = 'check_violation', CONSTRAINT = 'order_has_ended';
END
$$;
CREATE TRIGGER order_goes BEFORE UPDATE OF deleted_at ON records.sales_order FOR EACH ROW
  WHEN (NEW.deleted_at IS NOT NULL AND NEW.state IN ('pending', 'reserved', 'paid'))
  EXECUTE FUNCTION records.keep_order_under_way();

-- An order's total is that of its items, and neither changes. Looked at behind the statement that makes both.
CREATE FUNCTION records.keep_order_total() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  total numeric;
  items integer;
BEGIN
  SELECT sum(i.amount_minor), count(*) INTO total, items
    FROM records.order_item i WHERE i.tenant_id = NEW.tenant_id AND i.order_id = NEW.id;
  IF total IS DISTINCT FROM NEW.total_minor OR items <> NEW.item_count THEN
    RAISE EXCEPTION 'the total is not that of the items' USING ERRCODE = 'check_violation', CONSTRAINT = 'order_total_of_items';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER order_is_placed AFTER INSERT OR UPDATE OF total_minor, item_count ON records.sales_order
  FOR EACH ROW EXECUTE FUNCTION records.keep_order_total();
CREATE FUNCTION records.keep_order_items() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  RAISE EXCEPTION 'what was agreed stays' USING ERRCODE = 'check_violation', CONSTRAINT = 'order_item_stays';
END
$$;
CREATE TRIGGER order_item_changes BEFORE UPDATE ON records.order_item
  FOR EACH ROW EXECUTE FUNCTION records.keep_order_items();

SELECT db.protect_tenant_table('records.sales_order');
SELECT db.protect_tenant_table('records.order_item');

-- What organisations mean to spend: an amount for what an account gets in a currency, month by month, quarter by quarter or year by year, as the
-- calendar of a zone has them (services/records/README.md).
CREATE TABLE records.budget (
  tenant_id    uuid             NOT NULL,
  id           uuid             NOT NULL,
  name         text COLLATE "C" NOT NULL,
  account_id   uuid             NOT NULL,
  currency     text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  -- In the currency's smallest unit.
  amount_minor bigint           NOT NULL CHECK (amount_minor BETWEEN 1 AND 9007199254740991),
  period       text COLLATE "C" NOT NULL CHECK (period IN ('month', 'quarter', 'year')),
  -- IANA's name of it.
  zone         text COLLATE "C" NOT NULL,
  -- At how many per cent of the amount it is told.
  thresholds   integer[]        NOT NULL CHECK (cardinality(thresholds) BETWEEN 1 AND 5 AND 1 <= ALL (thresholds) AND 1000 >= ALL (thresholds)),
  -- It counts what is booked from its first period on. What was posted up to this number was counted when it was made, the rest is by events.
  starts_at    timestamptz(3)   NOT NULL,
  counted_to   bigint           NOT NULL,
  version      bigint           NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at   timestamptz(3)   NOT NULL,
  updated_at   timestamptz(3)   NOT NULL,
  deleted_at   timestamptz(3),
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT budget_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES records.account (tenant_id, id)
);
CREATE INDEX budget_age ON records.budget (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX budget_name ON records.budget (tenant_id, name, id) WHERE deleted_at IS NULL;
-- Of the deleted ones too: they are counted on, to be right when they come back.
CREATE INDEX budget_account ON records.budget (tenant_id, account_id, currency, created_at, id);
CREATE INDEX budget_deleted ON records.budget (tenant_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX budget_deletion ON records.budget (deleted_at) WHERE deleted_at IS NOT NULL;

-- What was spent in a period of a budget; none where nothing was.
CREATE TABLE records.budget_period (
  tenant_id    uuid           NOT NULL,
  budget_id    uuid           NOT NULL,
  starts_at    timestamptz(3) NOT NULL,
  ends_at      timestamptz(3) NOT NULL,
  -- Below nought where more was given back. Many entries together are more than a bigint holds.
  spent_minor  numeric        NOT NULL,
  -- The highest threshold that was told, in per cent: each is, once.
  told_percent integer        NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, budget_id, starts_at),
  CHECK (ends_at > starts_at),
  CONSTRAINT period_budget_fkey FOREIGN KEY (tenant_id, budget_id) REFERENCES records.budget (tenant_id, id)
)
-- Each entry of its account changes it.
WITH (fillfactor = 70);

-- The period that a moment is in, as the calendar of the zone has it: where clocks are changed it is an hour longer or shorter.
CREATE FUNCTION records.period_at(period text, zone text, moment timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
  SELECT l.local AT TIME ZONE zone,
         (l.local + CASE period WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months' ELSE interval '1 year' END) AT TIME ZONE zone
    FROM (SELECT date_trunc(period, moment AT TIME ZONE zone) AS local) l
$$;

-- A transaction has its number while it is known that no budget of its organisation is being made, until it ends. Whoever makes one takes the
-- lock alone, and so finds all that has a number up to the last one, and nothing later ever gets one of these.
CREATE FUNCTION records.number_transaction() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('records.ledger ' || NEW.tenant_id::text, 0));
  NEW.number := nextval('records.posting');
  RETURN NEW;
END
$$;
CREATE TRIGGER transaction_is_numbered BEFORE INSERT ON records.ledger_transaction FOR EACH ROW EXECUTE FUNCTION records.number_transaction();
ALTER TABLE records.ledger_transaction ALTER COLUMN number DROP DEFAULT;

-- As it was (77_create_ledger), and neither goes an account with a budget.
CREATE OR REPLACE FUNCTION records.keep_account_in_use() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM 1 FROM records.account a WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT 1 FROM records.ledger_entry e WHERE e.tenant_id = NEW.tenant_id AND e.account_id = NEW.id)
     OR EXISTS (SELECT 1 FROM records.budget b WHERE b.tenant_id = NEW.tenant_id AND b.account_id = NEW.id) THEN
    RAISE EXCEPTION 'the account has entries' USING ERRCODE = 'check_violation', CONSTRAINT = 'account_is_unused';
  END IF;
  RETURN NEW;
END
$$;

SELECT db.protect_tenant_table('records.budget');
SELECT db.protect_tenant_table('records.budget_period');

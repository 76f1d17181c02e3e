-- Where organisations' money is: accounts, and transactions between them (services/records/README.md). Double entry: what one account gets
-- others give, so that the entries of a transaction come to nought in each currency. Nothing of it is changed or taken back; a mistake is
-- reversed by another transaction.
CREATE TABLE records.account (
  tenant_id  uuid             NOT NULL,
  id         uuid             NOT NULL,
  -- The organisation's own word for it, which stays. Those with a colon are the app's (orders:payments).
  code       text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
  version    bigint           NOT NULL DEFAULT 1 CHECK (version > 0),
  created_at timestamptz(3)   NOT NULL,
  updated_at timestamptz(3)   NOT NULL,
  deleted_at timestamptz(3),
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX account_code_key ON records.account (tenant_id, code) WHERE deleted_at IS NULL;
CREATE INDEX account_age ON records.account (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX account_kind ON records.account (tenant_id, kind, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX account_name ON records.account (tenant_id, name, id) WHERE deleted_at IS NULL;
CREATE INDEX account_deleted ON records.account (tenant_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX account_deletion ON records.account (deleted_at) WHERE deleted_at IS NOT NULL;

-- In which order transactions were posted: whoever counts them says up to which one.
CREATE SEQUENCE records.posting;

CREATE TABLE records.ledger_transaction (
  tenant_id   uuid             NOT NULL,
  id          uuid             NOT NULL,
  number      bigint           NOT NULL DEFAULT nextval('records.posting'),
  origin      text COLLATE "C" NOT NULL CHECK (origin IN ('manual', 'reversal', 'order_payment', 'order_refund')),
  -- The order whose money it is.
  order_id    uuid,
  reverses_id uuid,
  description text,
  reference   text COLLATE "C",
  posted_by   uuid             NOT NULL,
  -- When it took place, says whoever posts it.
  booked_at   timestamptz(3)   NOT NULL,
  created_at  timestamptz(3)   NOT NULL,
  entry_count integer          NOT NULL CHECK (entry_count BETWEEN 2 AND 100),
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT transaction_reversed_fkey FOREIGN KEY (tenant_id, reverses_id) REFERENCES records.ledger_transaction (tenant_id, id),
  CHECK ((origin IN ('reversal', 'order_refund')) = (reverses_id IS NOT NULL)),
  CHECK ((origin IN ('order_payment', 'order_refund')) = (order_id IS NOT NULL))
);
-- Once each.
CREATE UNIQUE INDEX transaction_reversal_key ON records.ledger_transaction (tenant_id, reverses_id) WHERE reverses_id IS NOT NULL;
CREATE UNIQUE INDEX transaction_order_key ON records.ledger_transaction (tenant_id, order_id, origin) WHERE order_id IS NOT NULL;
CREATE INDEX transaction_age ON records.ledger_transaction (tenant_id, created_at, id);
CREATE INDEX transaction_booked ON records.ledger_transaction (tenant_id, booked_at, id);
CREATE INDEX transaction_origin ON records.ledger_transaction (tenant_id, origin, created_at, id);
CREATE INDEX transaction_reference ON records.ledger_transaction (tenant_id, reference, created_at, id);

CREATE TABLE records.ledger_entry (
  tenant_id      uuid             NOT NULL,
  transaction_id uuid             NOT NULL,
  position       integer          NOT NULL CHECK (position BETWEEN 1 AND 100),
  account_id     uuid             NOT NULL,
  -- What the account gets, or with a minus gives, in the currency's smallest unit; what JavaScript counts exactly.
  amount_minor   bigint           NOT NULL CHECK (amount_minor <> 0 AND amount_minor BETWEEN -9007199254740991 AND 9007199254740991),
  currency       text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  -- The transaction's.
  booked_at      timestamptz(3)   NOT NULL,
  PRIMARY KEY (tenant_id, transaction_id, position),
  CONSTRAINT entry_transaction_fkey FOREIGN KEY (tenant_id, transaction_id) REFERENCES records.ledger_transaction (tenant_id, id),
  CONSTRAINT entry_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES records.account (tenant_id, id)
);
CREATE INDEX entry_account ON records.ledger_entry (tenant_id, account_id, currency, booked_at) INCLUDE (amount_minor);

-- A transaction and all its entries are made by one statement, and looked at behind it. As it says how many there are, and nothing of it
-- changes, none comes later: not from whoever writes at the same moment either, who sees one too many.
CREATE FUNCTION records.keep_balance(tenant uuid, posted uuid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM records.ledger_entry e WHERE e.tenant_id = tenant AND e.transaction_id = posted
     GROUP BY e.currency HAVING sum(e.amount_minor) <> 0)
  THEN
    RAISE EXCEPTION 'the entries do not come to nought' USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_balances';
  END IF;
  IF NOT EXISTS (
    SELECT 1 FROM records.ledger_transaction t WHERE t.tenant_id = tenant AND t.id = posted
       AND t.entry_count = (SELECT count(*) FROM records.ledger_entry e WHERE e.tenant_id = tenant AND e.transaction_id = posted)
       AND NOT EXISTS (SELECT 1 FROM records.ledger_entry e
                        WHERE e.tenant_id = tenant AND e.transaction_id = posted AND e.booked_at <> t.booked_at))
  THEN
    RAISE EXCEPTION 'a transaction has its entries from the start' USING ERRCODE = 'check_violation', CONSTRAINT = 'transaction_is_whole';
  END IF;
END
$$;
CREATE FUNCTION records.keep_transaction() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM records.keep_balance(NEW.tenant_id, NEW.id);
  RETURN NULL;
END
$$;
CREATE TRIGGER transaction_is_posted AFTER INSERT ON records.ledger_transaction FOR EACH ROW EXECUTE FUNCTION records.keep_transaction();
CREATE FUNCTION records.keep_entries() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM records.keep_balance(a.tenant_id, a.transaction_id) FROM (SELECT DISTINCT tenant_id, transaction_id FROM added) a;
  RETURN NULL;
END
$$;
CREATE TRIGGER entries_are_posted AFTER INSERT ON records.ledger_entry REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION records.keep_entries();

-- Rows go with their organisation alone, which the app removes: no tenant does.
CREATE FUNCTION records.refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'DELETE' AND db.is_system() THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'what was posted stays' USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'ledger_is_append_only';
END
$$;
CREATE TRIGGER transaction_append_only BEFORE UPDATE OR DELETE ON records.ledger_transaction
  FOR EACH ROW EXECUTE FUNCTION records.refuse_ledger_change();
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON records.ledger_entry
  FOR EACH ROW EXECUTE FUNCTION records.refuse_ledger_change();

-- What is posted is of living accounts. The row's lock is its reference's own; whoever deletes the account waits for it.
CREATE FUNCTION records.keep_entry_account() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM 1 FROM records.account a WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.account_id AND a.deleted_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the account does not live' USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_account_lives';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER entry_enters_account BEFORE INSERT ON records.ledger_entry FOR EACH ROW EXECUTE FUNCTION records.keep_entry_account();

-- An account with entries stays. The lock waits for those who are about to post to it, and who see afterwards that it is gone.
CREATE FUNCTION records.keep_account_in_use() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM 1 FROM records.account a WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.id FOR UPDATE;
  IF EXISTS (SELECT 1 FROM records.ledger_entry e WHERE e.tenant_id = NEW.tenant_id AND e.account_id = NEW.id) THEN
    RAISE EXCEPTION 'the account has entries' USING ERRCODE = 'check_violation', CONSTRAINT = 'account_is_unused';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER account_goes BEFORE UPDATE OF deleted_at ON records.account FOR EACH ROW
  WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION records.keep_account_in_use();

SELECT db.protect_tenant_table('records.account');
SELECT db.protect_tenant_table('records.ledger_transaction');
SELECT db.protect_tenant_table('records.ledger_entry');

-- Words of one tenant, found by index. Under row security Postgres may not ask a text index before the policy, because "@@" is
-- not leakproof, and so read all of the tenant's chunks. docs/adr/0015-words-are-found-behind-a-door.md has the ways tried.
--
-- vectors.word holds what chunks are found by, in a table that is closed: row security and no policy, so that nobody but its
-- owner reaches it, through the two functions below. A chunk's row here comes, changes and goes with the chunk, by trigger.

CREATE TABLE vectors.word (
  of_tenant    uuid     NOT NULL,
  document_id  uuid     NOT NULL,
  ordinal      integer  NOT NULL,
  content_hash bytea    NOT NULL,
  -- The chunk's own, and without positions its tenant (so that the index finds words of one tenant alone) and the words of
  -- its title and headings once more. No parser makes words that begin as these do.
  search       tsvector NOT NULL,
  PRIMARY KEY (of_tenant, document_id, ordinal)
);
ALTER TABLE vectors.word ENABLE ROW LEVEL SECURITY;
-- The planner's statistics are samples of all tenants' values, and pg_read_all_data reads pg_statistic.
ALTER TABLE vectors.word ALTER COLUMN search SET STATISTICS 0, ALTER COLUMN content_hash SET STATISTICS 0;

CREATE FUNCTION vectors.words_of(tenant uuid, search tsvector) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN search || array_to_tsvector((E'\x01' || tenant::text) || array(
  SELECT E'\x02' || w.lexeme FROM unnest(search) w WHERE w.weights && '{A,B}' AND octet_length(w.lexeme) <= 1000));

-- A tsquery of lexemes as they are; null when there are none.
CREATE FUNCTION vectors.query_of(lexemes text[], operator text) RETURNS tsquery
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT string_agg('''' || replace(replace(l, '\', '\\'), '''', '''''') || '''', operator) FROM unnest(lexemes) l)::tsquery;

CREATE FUNCTION vectors.keep_words() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- On a table of somebody's own, rows could name any tenant.
  IF TG_RELID <> 'vectors.chunk'::regclass THEN
    RAISE EXCEPTION 'only chunks have words' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM vectors.word w USING gone g
     WHERE w.of_tenant = g.tenant_id AND w.document_id = g.document_id AND w.ordinal = g.ordinal;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO vectors.word (of_tenant, document_id, ordinal, content_hash, search)
    SELECT a.tenant_id, a.document_id, a.ordinal, a.content_hash, vectors.words_of(a.tenant_id, a.search) FROM added a;
  END IF;
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION vectors.keep_words() FROM PUBLIC;
CREATE TRIGGER words_come AFTER INSERT ON vectors.chunk REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION vectors.keep_words();
CREATE TRIGGER words_change AFTER UPDATE ON vectors.chunk REFERENCING OLD TABLE AS gone NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION vectors.keep_words();
CREATE TRIGGER words_go AFTER DELETE ON vectors.chunk REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION vectors.keep_words();

-- Chunks that there are already: the owner sees them only while row security is not forced upon it.
ALTER TABLE vectors.chunk NO FORCE ROW LEVEL SECURITY;
INSERT INTO vectors.word (of_tenant, document_id, ordinal, content_hash, search)
SELECT c.tenant_id, c.document_id, c.ordinal, c.content_hash, vectors.words_of(c.tenant_id, c.search) FROM vectors.chunk c;
ALTER TABLE vectors.chunk FORCE ROW LEVEL SECURITY;

-- What is written is gathered and sorted in, some hundred chunks at a time: at once it takes three times as long, and every
-- search reads what is gathered, whosever it is.
CREATE INDEX word_search ON vectors.word USING gin (search) WITH (gin_pending_list_limit = 256);
-- Nobody could use it, and each chunk paid for it.
DROP INDEX vectors.chunk_search;

-- Where rows of a tenant's chunks stand that fit the query, at most so many; of the documents `among`, unless that is null. Runs
-- with its caller's rights: by itself it finds nothing.
CREATE FUNCTION vectors.word_rows(mine uuid, asked tsquery, among uuid[], at_most integer) RETURNS tid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- A plan made for any query and any limit might read the table, because it is taken to end soon.
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  own tsquery := vectors.query_of(ARRAY[E'\x01' || mine::text], '&') && asked;
BEGIN
  IF among IS NULL THEN
    -- Not "=", which would make the planner read all of the tenant by the primary key.
    RETURN array(SELECT w.ctid FROM vectors.word w
                  WHERE w.search @@ own AND w.of_tenant IS NOT DISTINCT FROM mine LIMIT at_most);
  END IF;
  RETURN array(SELECT w.ctid FROM vectors.word w
                WHERE w.search @@ own AND w.of_tenant = mine AND w.document_id = ANY (among) LIMIT at_most);
END
$$;

-- The contents of the caller's tenant that hold the words, the best first: all of the words; when no chunk has all, any of
-- them. Runs with its owner's rights, past row security, and takes the tenant from the token alone. Of a common word not
-- every chunk is ranked, but `ranked` of them: first those that have all words in title and headings; of chunks that have
-- any, first those with the words that the fewest have.
CREATE FUNCTION vectors.find_words(question text, among uuid[], ranked integer, at_most integer)
RETURNS TABLE (content_hash bytea, weight real)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mine uuid := db.current_tenant();
  asked tsquery := websearch_to_tsquery('english', question);
  lexemes text[];
  found tid[];
BEGIN
  IF mine IS NULL OR asked IS NULL THEN RETURN; END IF;
  -- Those that must be there, the longest of a long question.
  lexemes := array(
    SELECT l.lexeme FROM (
      SELECT DISTINCT replace(replace(m[1], '''''', ''''), '\\', '\') AS lexeme
      FROM regexp_matches(querytree(asked), '''((?:[^'']|'''')+)''', 'g') m) l
    ORDER BY length(l.lexeme) DESC, l.lexeme LIMIT 32);
  IF cardinality(lexemes) = 0 THEN RETURN; END IF;

  found := vectors.word_rows(mine, vectors.query_of(array(SELECT E'\x02' || l FROM unnest(lexemes) l), '&') && asked, among, ranked);
  IF cardinality(found) < ranked THEN
    found := found || vectors.word_rows(mine, asked, among, ranked);
  END IF;
  IF cardinality(found) = 0 AND asked::text NOT LIKE '%!%' THEN
    asked := vectors.query_of(lexemes, '|');
    WITH holding AS MATERIALIZED (
      SELECT l, vectors.word_rows(mine, vectors.query_of(ARRAY[l], '|'), among, ranked) AS rows FROM unnest(lexemes) l
    )
    SELECT array(SELECT r FROM holding h, unnest(h.rows) r ORDER BY cardinality(h.rows), h.l LIMIT ranked) INTO found;
  END IF;

  RETURN QUERY
    SELECT w.content_hash, max(ts_rank_cd(w.search, asked)) AS best
    FROM vectors.word w
    WHERE w.ctid = ANY (found) AND w.of_tenant IS NOT DISTINCT FROM mine
    GROUP BY w.content_hash ORDER BY best DESC, w.content_hash LIMIT at_most;
END
$$;

-- Nearest embeddings of one tenant, of the documents `among` unless that is null. Runs with the caller's rights: row security
-- applies inside. All are compared where that is cheaper: up to `exact_up_to`, and of a tenant with so small a share that the
-- graph, which is of all tenants, has to be walked further than the tenant is large; and where the graph finds too few, whose
-- rows then come twice.
CREATE FUNCTION vectors.nearest(asked_tenant uuid, asked_model text, asked vector, exact_up_to integer, candidates integer, among uuid[])
RETURNS TABLE (content_hash bytea, distance double precision, by_graph boolean)
LANGUAGE plpgsql STABLE
SET hnsw.iterative_scan = 'relaxed_order'
SET hnsw.ef_search = '100'
SET hnsw.max_scan_tuples = '100000'
SET plan_cache_mode = 'force_custom_plan'
AS $$
DECLARE
  held integer := coalesce((SELECT u.chunk_count FROM vectors.usage u WHERE u.tenant_id = asked_tenant), 0);
  every real := (SELECT c.reltuples FROM pg_class c WHERE c.oid = 'vectors.embedding'::regclass);
  found integer;
BEGIN
  IF asked IS NULL THEN RETURN; END IF;
  IF among IS NOT NULL THEN
    held := (SELECT count(*) FROM (
      SELECT FROM vectors.chunk c WHERE c.tenant_id = asked_tenant AND c.document_id = ANY (among) LIMIT exact_up_to + 1) c);
    IF held <= exact_up_to THEN
      RETURN QUERY
        SELECT e.content_hash, e.embedding <=> asked, false
        FROM (SELECT DISTINCT c.content_hash FROM vectors.chunk c WHERE c.tenant_id = asked_tenant AND c.document_id = ANY (among)) c
        JOIN vectors.embedding e ON e.tenant_id = asked_tenant AND e.content_hash = c.content_hash
        WHERE e.model = asked_model
        ORDER BY (e.embedding <=> asked) + 0, e.content_hash
        LIMIT candidates;
      RETURN;
    END IF;
  END IF;
  -- A step in the graph costs about as much as comparing five.
  IF held > exact_up_to AND held::float8 * held > 5.0 * candidates * every THEN
    RETURN QUERY
      SELECT near.content_hash, near.distance, true
      FROM (
        SELECT e.content_hash, e.embedding <=> asked AS distance
        FROM vectors.embedding e
        -- Not "=", which would make the planner prefer the primary key and sort the whole tenant.
        WHERE e.tenant_id IS NOT DISTINCT FROM asked_tenant AND e.model IS NOT DISTINCT FROM asked_model
          AND (among IS NULL OR EXISTS (
            SELECT FROM vectors.chunk c
            WHERE c.tenant_id = asked_tenant AND c.content_hash = e.content_hash AND c.document_id = ANY (among)))
        ORDER BY e.embedding <=> asked
        LIMIT candidates
      ) near
      -- "+ 0": a relaxed scan gives rows a little out of order, but the planner takes its order for granted and would sort
      -- only within equal distances (pgvector's README, "Iterative Index Scans").
      ORDER BY near.distance + 0, near.content_hash;
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found = candidates THEN RETURN; END IF;
  END IF;
  RETURN QUERY
    SELECT e.content_hash, e.embedding <=> asked, false
    FROM vectors.embedding e
    WHERE e.tenant_id = asked_tenant AND e.model = asked_model
      AND (among IS NULL OR e.content_hash IN (
        SELECT c.content_hash FROM vectors.chunk c WHERE c.tenant_id = asked_tenant AND c.document_id = ANY (among)))
    -- "+ 0" keeps the planner from the graph.
    ORDER BY (e.embedding <=> asked) + 0, e.content_hash
    LIMIT candidates;
END
$$;

-- Search that stays within bounds, whatever is asked: filters that fit very many documents, questions whose words never meet,
-- a model that an organisation has no vectors of. And documents whose job is lost are found without reading all.
--
-- The functions of migration 57 are replaced whole. What is new to them comes last and may be left out, so that calls as they
-- were still find them. `prefix` and `holding`: of documents whose source begins so and whose metadata holds these values. They
-- are given in place of `among` when the documents that fit are too many to be named.

-- Reads vectors.document once and holds up its writers for so long; texts are out of line and not read.
CREATE INDEX document_pending ON vectors.document (updated_at, id) WHERE status = 'pending';
-- Reads vectors.embedding once and holds up its writers for so long (about ten seconds for a million); searches go on.
CREATE INDEX embedding_model ON vectors.embedding (tenant_id, model) WHERE model IS NOT NULL;

DROP FUNCTION vectors.find_words(text, uuid[], integer, integer);
DROP FUNCTION vectors.word_rows(uuid, tsquery, uuid[], integer);
DROP FUNCTION vectors.nearest(uuid, text, vector, integer, integer, uuid[]);

-- Where rows of a tenant's chunks stand that fit the query, at most so many; of the documents `among`, unless that is null. Runs
-- with its caller's rights: by itself it finds nothing.
CREATE FUNCTION vectors.word_rows(
  mine uuid, asked tsquery, among uuid[], at_most integer, prefix text DEFAULT NULL, holding jsonb DEFAULT NULL)
RETURNS tid[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- A plan made for any query and any limit might read the table, because it is taken to end soon.
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  own tsquery := vectors.query_of(ARRAY[E'\x01' || mine::text], '&') && asked;
BEGIN
  IF among IS NOT NULL THEN
    RETURN array(SELECT w.ctid FROM vectors.word w
                  WHERE w.search @@ own AND w.of_tenant = mine AND w.document_id = ANY (among) LIMIT at_most);
  END IF;
  IF prefix IS NULL AND holding IS NULL THEN
    -- Not "=", which would make the planner read all of the tenant by the primary key.
    RETURN array(SELECT w.ctid FROM vectors.word w
                  WHERE w.search @@ own AND w.of_tenant IS NOT DISTINCT FROM mine LIMIT at_most);
  END IF;
  -- Very many documents fit, so that soon enough rows of them are found.
  RETURN array(SELECT w.ctid FROM vectors.word w
                WHERE w.search @@ own AND w.of_tenant IS NOT DISTINCT FROM mine
                  AND EXISTS (SELECT FROM vectors.document d
                               WHERE d.tenant_id = mine AND d.id = w.document_id
                                 AND (prefix IS NULL OR starts_with(d.source, prefix))
                                 AND (holding IS NULL OR d.metadata @> holding))
                LIMIT at_most);
END
$$;

-- The contents of the caller's tenant that hold the words, the best first, each with the chunk of it that fits them best: all of
-- the words; when no chunk has all, any of them. Runs with its owner's rights, past row security, and takes the tenant from the
-- token alone. Of a common word not every chunk is ranked, but `ranked` of them: first those that have all words in title and
-- headings; of chunks that have any, first those with the words that the fewest have. For these at most eight words are looked
-- at, the longest first, and no more once those that few have are in `ranked` chunks: each look reads all the index has of a word.
CREATE FUNCTION vectors.find_words(
  question text, among uuid[], ranked integer, at_most integer, prefix text DEFAULT NULL, holding jsonb DEFAULT NULL)
RETURNS TABLE (content_hash bytea, weight real, document_id uuid, ordinal integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  mine uuid := db.current_tenant();
  asked tsquery := websearch_to_tsquery('english', question);
  lexemes text[];
  found tid[];
  one text;
  held tid[];
  places tid[] := '{}';
  holders integer[] := '{}';
  of_rare integer := 0;
BEGIN
  IF mine IS NULL OR asked IS NULL THEN RETURN; END IF;
  -- Those that must be there, the longest of a long question.
  lexemes := array(
    SELECT l.lexeme FROM (
      SELECT DISTINCT replace(replace(m[1], '''''', ''''), '\\', '\') AS lexeme
      FROM regexp_matches(querytree(asked), '''((?:[^'']|'''')+)''', 'g') m) l
    ORDER BY length(l.lexeme) DESC, l.lexeme LIMIT 32);
  IF cardinality(lexemes) = 0 THEN RETURN; END IF;

  found := vectors.word_rows(
    mine, vectors.query_of(array(SELECT E'\x02' || l FROM unnest(lexemes) l), '&') && asked, among, ranked, prefix, holding);
  IF cardinality(found) < ranked THEN
    found := found || vectors.word_rows(mine, asked, among, ranked, prefix, holding);
  END IF;
  IF cardinality(found) = 0 AND asked::text NOT LIKE '%!%' THEN
    FOREACH one IN ARRAY lexemes[1:8] LOOP
      EXIT WHEN of_rare >= ranked;
      held := vectors.word_rows(mine, vectors.query_of(ARRAY[one], '|'), among, ranked, prefix, holding);
      CONTINUE WHEN cardinality(held) = 0;
      places := places || held;
      holders := holders || array_fill(cardinality(held), ARRAY[cardinality(held)]);
      IF cardinality(held) < ranked THEN
        of_rare := of_rare + cardinality(held);
      END IF;
    END LOOP;
    asked := vectors.query_of(lexemes, '|');
    found := array(
      SELECT p.place FROM unnest(places, holders) p(place, held_by)
      GROUP BY p.place ORDER BY min(p.held_by), count(*) DESC, p.place LIMIT ranked);
  END IF;

  RETURN QUERY
    SELECT best.content_hash, best.fit, best.document_id, best.ordinal
    FROM (
      SELECT DISTINCT ON (w.content_hash) w.content_hash, ts_rank_cd(w.search, asked) AS fit, w.document_id, w.ordinal
      FROM vectors.word w
      WHERE w.ctid = ANY (found) AND w.of_tenant IS NOT DISTINCT FROM mine
      ORDER BY w.content_hash, ts_rank_cd(w.search, asked) DESC, w.document_id, w.ordinal
    ) best
    ORDER BY best.fit DESC, best.content_hash LIMIT at_most;
END
$$;

-- Whether a tenant has a vector of this model: one look in the index. Runs with the caller's rights.
CREATE FUNCTION vectors.has_model(asked_tenant uuid, asked_model text) RETURNS boolean
LANGUAGE plpgsql STABLE
-- The planner may take the model for common with everybody, and read the table until it meets a row that is not there.
SET enable_seqscan = off
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM vectors.embedding e WHERE e.tenant_id = asked_tenant AND e.model = asked_model);
END
$$;

-- Nearest embeddings of one tenant, of the documents `among` unless that is null. Runs with the caller's rights: row security
-- applies inside. All are compared where that is cheaper: up to `exact_up_to`, and of a tenant with so small a share that the
-- graph, which is of all tenants, has to be walked further than the tenant is large; and where the graph finds too few, whose
-- rows then come twice. Of a model that the tenant has no vector of, nothing is looked for.
CREATE FUNCTION vectors.nearest(
  asked_tenant uuid, asked_model text, asked vector, exact_up_to integer, candidates integer, among uuid[],
  prefix text DEFAULT NULL, holding jsonb DEFAULT NULL)
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
  of_all boolean := among IS NULL AND prefix IS NULL AND holding IS NULL;
  found integer;
BEGIN
  IF asked IS NULL OR NOT vectors.has_model(asked_tenant, asked_model) THEN RETURN; END IF;
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
          AND (of_all OR EXISTS (
            SELECT FROM vectors.chunk c
            JOIN vectors.document d ON d.tenant_id = asked_tenant AND d.id = c.document_id
            WHERE c.tenant_id = asked_tenant AND c.content_hash = e.content_hash
              AND (among IS NULL OR c.document_id = ANY (among))
              AND (prefix IS NULL OR starts_with(d.source, prefix)) AND (holding IS NULL OR d.metadata @> holding)))
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
      AND (of_all OR e.content_hash IN (
        SELECT c.content_hash FROM vectors.chunk c
        JOIN vectors.document d ON d.tenant_id = asked_tenant AND d.id = c.document_id
        WHERE c.tenant_id = asked_tenant AND (among IS NULL OR c.document_id = ANY (among))
          AND (prefix IS NULL OR starts_with(d.source, prefix)) AND (holding IS NULL OR d.metadata @> holding)))
    -- "+ 0" keeps the planner from the graph.
    ORDER BY (e.embedding <=> asked) + 0, e.content_hash
    LIMIT candidates;
END
$$;

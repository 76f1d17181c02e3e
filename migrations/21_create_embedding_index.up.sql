-- Nearest embeddings of one tenant.
--
-- HNSW rather than IVFFlat: no training step, good recall while rows trickle in (A10 in docs/requirements.md). The graph is
-- over all tenants, and a plain filtered scan of it finds almost nothing for a tenant with few of the rows
-- (recall@10 of 0.08 at 1 %). So small tenants are compared exactly, and large ones by an iterative scan
-- that goes on until enough of their rows are found (pgvector 0.8).
--
-- vector, not halfvec: half the size, but converting each half costs ten times the distance itself where
-- the processor's instructions for it are out of reach (WebAssembly). Stored inline (PLAIN): a vector of 512
-- is just over the TOAST threshold, and fetching each from a side table would double an exact scan.

ALTER TABLE vectors.embedding ALTER COLUMN embedding SET STORAGE PLAIN;

CREATE INDEX embedding_nearest ON vectors.embedding USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

-- The distances come back in order. Runs with the caller's rights: row security applies inside.
CREATE FUNCTION vectors.nearest(asked_tenant uuid, asked_model text, asked vector, exact_up_to integer, candidates integer)
RETURNS TABLE (content_hash bytea, distance double precision)
LANGUAGE plpgsql STABLE STRICT
SET hnsw.iterative_scan = 'relaxed_order'
SET hnsw.ef_search = '100'
AS $$
DECLARE
  held integer := coalesce((SELECT u.chunk_count FROM vectors.usage u WHERE u.tenant_id = asked_tenant), 0);
BEGIN
  IF held <= exact_up_to THEN
    RETURN QUERY
      SELECT e.content_hash, e.embedding <=> asked
      FROM vectors.embedding e
      WHERE e.tenant_id = asked_tenant AND e.model = asked_model
      -- "+ 0" keeps the planner from the graph.
      ORDER BY (e.embedding <=> asked) + 0, e.content_hash
      LIMIT candidates;
  ELSE
    RETURN QUERY
      SELECT near.content_hash, near.distance
      FROM (
        SELECT e.content_hash, e.embedding <=> asked AS distance
        FROM vectors.embedding e
        -- Not "=", which would make the planner prefer the primary key and sort the whole tenant.
        WHERE e.tenant_id IS NOT DISTINCT FROM asked_tenant AND e.model IS NOT DISTINCT FROM asked_model
        ORDER BY e.embedding <=> asked
        LIMIT candidates
      ) near
      -- "+ 0": a relaxed scan gives rows a little out of order, but the planner takes its order for granted and would sort
      -- only within equal distances (pgvector's README, "Iterative Index Scans").
      ORDER BY near.distance + 0, near.content_hash;
  END IF;
END
$$;

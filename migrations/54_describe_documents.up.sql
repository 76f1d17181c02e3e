-- What documents need to be kept up: how long the text is, what of it is counted, and which splitter made the chunks.
--
-- splitter: the version of the rules by which the text was split (vectors/chunker.ts). Documents of an older one are split
-- again by the hourly upkeep. 0: made before this was noted, or by a version of the app that does not note it.
-- A generated column makes the table anew once; octet_length reads no text that is stored out of line.

ALTER TABLE vectors.document
  ADD COLUMN splitter integer NOT NULL DEFAULT 0,
  ADD COLUMN text_bytes integer NOT NULL GENERATED ALWAYS AS (octet_length(text)) STORED,
  ADD COLUMN counted_bytes integer;
CREATE INDEX document_splitter ON vectors.document (splitter, id);

ALTER TABLE vectors.usage ADD COLUMN byte_count bigint NOT NULL DEFAULT 0;

-- Documents that there are already: the owner sees them only while row security is not forced upon it.
ALTER TABLE vectors.document NO FORCE ROW LEVEL SECURITY;
ALTER TABLE vectors.usage NO FORCE ROW LEVEL SECURITY;
UPDATE vectors.document SET counted_bytes = text_bytes WHERE counted_chunks IS NOT NULL;
UPDATE vectors.usage u SET byte_count = d.bytes
  FROM (SELECT tenant_id, sum(counted_bytes) AS bytes FROM vectors.document WHERE counted_bytes IS NOT NULL GROUP BY tenant_id) d
 WHERE u.tenant_id = d.tenant_id;
ALTER TABLE vectors.usage FORCE ROW LEVEL SECURITY;
ALTER TABLE vectors.document FORCE ROW LEVEL SECURITY;

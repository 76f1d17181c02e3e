-- Documents, the chunks they are split into, and one embedding per tenant and content.
--
-- A chunk names its content by hash. The embedding of a content exists once per tenant however many
-- documents hold it (PRIMARY KEY (tenant_id, content_hash)), is made empty with the first chunk that needs
-- it and filled by the job vectors:embed. The foreign key keeps a content from being removed while a chunk
-- needs it.

CREATE TABLE vectors.document (
  id          uuid        PRIMARY KEY,
  tenant_id   uuid        NOT NULL,
  source      text        NOT NULL,
  title       text        NOT NULL,
  metadata    jsonb       NOT NULL DEFAULT '{}',
  -- As it was sent. Stored out of line, so that lists and changes of status do not touch it.
  text        text        NOT NULL,
  -- SHA-256 of title and text: equal means nothing to do.
  text_hash   bytea       NOT NULL,
  version     integer     NOT NULL DEFAULT 1 CHECK (version > 0),
  status      text        NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
  reason      text,
  chunk_count integer     NOT NULL,
  -- What vectors.usage has counted of this document; null until it was ready once.
  counted_chunks integer,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  ready_at    timestamptz,
  CONSTRAINT document_source_key UNIQUE (tenant_id, source)
);
CREATE INDEX document_recent ON vectors.document (tenant_id, created_at, id);
CREATE INDEX document_status ON vectors.document (tenant_id, status, created_at, id);

CREATE TABLE vectors.embedding (
  tenant_id    uuid        NOT NULL,
  content_hash bytea       NOT NULL CHECK (octet_length(content_hash) = 32),
  -- Null until embedded. Vectors of two models are not comparable, so the model is part of what is asked for.
  model        text,
  embedding    vector(512),
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, content_hash),
  CHECK ((model IS NULL) = (embedding IS NULL))
);

CREATE TABLE vectors.chunk (
  tenant_id    uuid     NOT NULL,
  document_id  uuid     NOT NULL REFERENCES vectors.document (id) ON DELETE CASCADE,
  ordinal      integer  NOT NULL,
  content_hash bytea    NOT NULL,
  title        text     NOT NULL,
  heading      text     NOT NULL,
  content      text     NOT NULL,
  search       tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', heading), 'B')
    || to_tsvector('english', content)
  ) STORED,
  PRIMARY KEY (tenant_id, document_id, ordinal),
  FOREIGN KEY (tenant_id, content_hash) REFERENCES vectors.embedding (tenant_id, content_hash)
);
CREATE INDEX chunk_document ON vectors.chunk (document_id);
CREATE INDEX chunk_content ON vectors.chunk (tenant_id, content_hash);
CREATE INDEX chunk_search ON vectors.chunk USING gin (search);

-- Contents that a deleted chunk held: perhaps no chunk needs their embedding any more. The upkeep reads these rows
-- alone instead of every embedding, and settles each once. A table beside and not a mark on the embedding, because a
-- mark would make a new version of the row and with it a new entry in the graph.
CREATE TABLE vectors.orphan_candidate (
  tenant_id    uuid        NOT NULL,
  content_hash bytea       NOT NULL,
  released_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, content_hash)
);
CREATE INDEX orphan_candidate_released ON vectors.orphan_candidate (released_at);

-- What a tenant holds, kept by the consumer of vectors.document.ready@1: tells search whether the tenant is
-- small enough to compare everything (exact) or needs the index.
CREATE TABLE vectors.usage (
  tenant_id      uuid        PRIMARY KEY,
  document_count integer     NOT NULL,
  chunk_count    integer     NOT NULL,
  updated_at     timestamptz NOT NULL DEFAULT now()
);

SELECT db.protect_tenant_table('vectors.document');
SELECT db.protect_tenant_table('vectors.embedding');
SELECT db.protect_tenant_table('vectors.chunk');
SELECT db.protect_tenant_table('vectors.orphan_candidate');
SELECT db.protect_tenant_table('vectors.usage');

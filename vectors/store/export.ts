// What an organisation's export holds of vectors: the documents as they were sent, from which all else is made.
import { declareExport } from "../../db/tenant-export";

declareExport("vectors", {
  exported: [
    {
      name: "vectors.document",
      order: { created_at: "timestamptz", id: "uuid" },
      columns: ["id", "source", "title", "metadata", "text", "version", "status", "reason", "created_at", "updated_at"],
      personal: ["source", "title", "metadata", "text"],
      omitted: {
        text_hash: "made of the text",
        chunk_count: "how the text was split",
        counted_chunks: "how the text was split",
        splitter: "how the text was split",
        text_bytes: "made of the text",
        counted_bytes: "made of the text",
        ready_at: "when it was searchable here",
      },
      large: ["text", "metadata"],
    },
  ],
  left: {
    "vectors.chunk": "pieces of the documents' texts",
    "vectors.embedding": "made of those pieces",
    "vectors.orphan_candidate": "what the upkeep has to look at",
    "vectors.usage": "counts of the documents",
  },
});

// What an organisation's export holds of assets: what its files are. Their bytes are fetched by GET /assets/:id/content.
import { declareExport } from "../../../db/tenant-export";

declareExport("assets", {
  exported: [
    {
      name: "assets.asset",
      order: { created_at: "timestamptz", id: "uuid" },
      columns: ["id", "name", "version", "status", "reason", "document_id", "created_at", "updated_at"],
      personal: ["name"],
    },
    {
      name: "assets.version",
      order: { asset_id: "uuid", version: "integer" },
      columns: ["asset_id", "version", "media_type", "created_by", "created_at"],
      personal: ["created_by"],
      omitted: { content_id: "where the bytes are kept" },
    },
  ],
  left: {
    "assets.content": "where the bytes are kept: GET /assets/:id/content hands them out",
    "assets.upload": "what is on its way",
    "assets.usage": "counts of the files",
  },
});

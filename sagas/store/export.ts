// Why an organisation's export holds nothing of sagas.
import { declareExport } from "../../db/tenant-export";

declareExport("sagas", {
  exported: [],
  left: {
    "sagas.saga": "work of several steps, kept while it goes on and for days after: what it did stands where it did it",
    "sagas.step": "how far that work has come",
  },
});

import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
import { declareRefusalForm } from "../../security/refusal-forms";
import { rpcRefusal } from "./rpc-refusals";

export default new Service("mcp", { middlewares: guardOf("mcp") });

declareRefusalForm("mcp", rpcRefusal);

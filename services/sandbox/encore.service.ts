import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
import { tellWalls, wallsHere } from "./walls";

export default new Service("sandbox", { middlewares: guardOf("sandbox") });

tellWalls(wallsHere());

// Breaks `environment`, three ways.
import { env } from "node:process";

const { env: again } = process;

export const issuer = process.env.ISSUER ?? env.ISSUER ?? again.ISSUER;

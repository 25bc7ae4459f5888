// Draws the tables of docs/controller.md anew. Build the package first.
import { readFileSync, writeFileSync } from "node:fs";
import { drawPage } from "../dist/page.js";

const page = new URL("../../../docs/controller.md", import.meta.url);
writeFileSync(page, drawPage(readFileSync(page, "utf8")));

export { startSourceAgent } from "./agent.js";

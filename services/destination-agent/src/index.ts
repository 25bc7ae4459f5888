export { startDestinationAgent } from "./agent.js";

export { startDestinationAgent } from "./agent.js";
export { type Arriving, tellArrivals } from "./told.js";

export { startSourceAgent } from "./agent.js";
export { type Told, tellGuests } from "./told.js";

export { ALERTS, type Alert, type Severity } from "./alerts.js";
export { dashboard } from "./dashboard.js";
export { PANELS, type PanelSpec } from "./panels.js";
export { RUNBOOK_URL, ruleOf, rulesYaml } from "./rules.js";

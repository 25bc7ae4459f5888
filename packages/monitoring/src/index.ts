export { ALERTS, type Alert, type Severity } from "./alerts.js";
export { RUNBOOK_URL, ruleOf, rulesYaml } from "./rules.js";

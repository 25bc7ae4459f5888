/* The alerts, as Prometheus reads them. Labels follow KubeVirt's, so that what routes its alerts routes these. */
import { stringify } from "yaml";
import { ALERTS, type Alert, type Severity } from "./alerts.js";

/** Where runbooks are, unless an operator says otherwise; %s is the alert's name. */
export const RUNBOOK_URL = "docs/runbooks/%s.md";

const IMPACT: Record<Severity, string> = { critical: "critical", warning: "warning", info: "none" };

export function rulesYaml(runbookUrl: string = RUNBOOK_URL): string {
  const groups = Object.entries(ALERTS).map(([name, alerts]) => ({
    name,
    rules: alerts.map((alert) => ruleOf(alert, runbookUrl)),
  }));
  return stringify({ groups }, { lineWidth: 0 });
}

/** One rule; also what a test expects of the alert that fires. */
export function ruleOf(alert: Alert, runbookUrl: string = RUNBOOK_URL) {
  const { name, severity, expr, summary, description } = alert;
  return {
    alert: name,
    expr,
    ...(alert.for === undefined ? {} : { for: alert.for }),
    labels: {
      severity,
      operator_health_impact: IMPACT[severity],
      kubernetes_operator_part_of: "ferry",
      kubernetes_operator_component: "ferry-agent",
    },
    annotations: { summary, description, runbook_url: runbookUrl.replace("%s", name) },
  };
}

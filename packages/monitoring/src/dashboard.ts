/* The dashboard, built with Grafana's own library, so that the compiler knows what Grafana takes. */
import {
  type Dashboard,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimelineBuilder } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { PANELS, type PanelSpec } from "./panels.js";

const DATASOURCE = { type: "prometheus", uid: "$datasource" };
const BUILDERS = { stat: StatBuilder, timeseries: TimeseriesBuilder, timeline: TimelineBuilder };
const HEIGHT = 8;

export function dashboard(): Dashboard {
  const builder = new DashboardBuilder("Ferry: guests on the move")
    .uid("ferry")
    .tags(["ferry", "qemu", "live-migration"])
    .refresh("1m")
    .time({ from: "now-1h", to: "now" })
    .withVariable(new DatasourceVariableBuilder("datasource").type("prometheus"))
    .withVariable(variable("job", "label_values(ferry_build_info, job)"))
    .withVariable(
      variable("migration", 'label_values(ferry_migration_phase{job="$job"}, migration_id)'),
    );
  for (const [title, panels] of Object.entries(PANELS)) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panelOf(panel));
  }
  return builder.build();
}

function variable(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(DATASOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}

function panelOf({ kind, title, description, unit, width, queries }: PanelSpec) {
  const panel = new BUILDERS[kind]()
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(HEIGHT);
  for (const [index, { expr, legend }] of queries.entries()) {
    const refId = String.fromCharCode("A".charCodeAt(0) + index);
    panel.withTarget(new DataqueryBuilder().expr(expr).legendFormat(legend).refId(refId));
  }
  return panel;
}

// Package check holds the deployment files against the programs that read them: the chart
// is rendered by Helm and decoded by Kubernetes' own types, the Compose file is loaded by
// Compose's loader, alert rules by Prometheus and routes by Alertmanager. It is a module
// of its own, so that weir does not depend on any of them:
//
//	cd deploy/check && go test ./...
package check

# Nothing critical, and nothing suppressed without naming a ticket.
package lagoa

deny contains verdict if {
	some finding in input.findings
	finding.severity == "critical"
	not finding.suppressed
	verdict := {
		"msg": sprintf("%s: %s", [finding.id, finding.message]),
		"resource": finding.resource,
		"severity": finding.severity,
	}
}

warn contains verdict if {
	some finding in input.findings
	finding.suppressed
	not regex.match(`[A-Z]+-[0-9]+`, finding.reason)
	verdict := {
		"msg": sprintf("%s is suppressed without a ticket", [finding.id]),
		"resource": finding.resource,
	}
}

# What costs money says who pays for it.
package lagoa

import data.lagoa_resources

deny contains verdict if {
	some resource in lagoa_resources.made
	some field in resource.fields
	field.path == "tags"
	not field.new.CentroCusto
	verdict := {
		"msg": sprintf("%s has no tag CentroCusto", [resource.key]),
		"resource": resource.key,
	}
}

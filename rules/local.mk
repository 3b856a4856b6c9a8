noinst_LIBRARIES += rules/librules.a
rules_librules_a_SOURCES = \
	rules/base.c \
	rules/body.c rules/body.h \
	rules/cut.c \
	rules/engine.c \
	rules/exclude.c rules/exclude.h \
	rules/internal.h \
	rules/policy.c \
	rules/scan.c rules/scan.h \
	rules/shim.h rules/shim_internal.hh \
	rules/shim_rules.cc rules/shim_txn.cc \
	rules/txn.c \
	rules/waf.h

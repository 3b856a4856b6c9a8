bin_PROGRAMS += yett
yett_SOURCES = \
	gateway/cli/audit_search.c \
	gateway/cli/audit_search.h \
	gateway/cli/check.c \
	gateway/cli/cli.h \
	gateway/cli/explain.c \
	gateway/cli/protect.c \
	gateway/cli/protect.h \
	gateway/cli/run.c \
	gateway/cli/schema.c \
	gateway/cli/version.c \
	gateway/main.c \
	gateway/pipeline.c \
	gateway/pipeline.h \
	gateway/reload.c \
	gateway/reload.h \
	gateway/worker.c \
	gateway/worker.h
# The shim over libmodsecurity is C++: link with the C++ driver.
nodist_EXTRA_yett_SOURCES = dummy.cxx
yett_LDADD = $(YETT_ARCHIVES) $(ALLOCATOR_LIBS) $(YETT_LIBS)

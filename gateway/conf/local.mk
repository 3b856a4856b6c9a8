noinst_LIBRARIES += gateway/conf/libconf.a
gateway_conf_libconf_a_SOURCES = \
	gateway/conf/checks.c \
	gateway/conf/conf.h \
	gateway/conf/document.c \
	gateway/conf/document.h \
	gateway/conf/field.c \
	gateway/conf/field.h \
	gateway/conf/files.c \
	gateway/conf/files.h \
	gateway/conf/finish.c \
	gateway/conf/load.c \
	gateway/conf/problem.c \
	gateway/conf/reader.c \
	gateway/conf/reader.h \
	gateway/conf/reference.c \
	gateway/conf/schema.c \
	gateway/conf/settle.c \
	gateway/conf/settle.h \
	gateway/conf/tables.c \
	gateway/conf/tables.h \
	gateway/conf/tables_later.c \
	gateway/conf/tables_policy.c \
	gateway/conf/tables_pool.c \
	gateway/conf/tables_site.c \
	gateway/conf/value.c \
	gateway/conf/value.h

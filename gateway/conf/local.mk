noinst_LIBRARIES += gateway/conf/libconf.a
gateway_conf_libconf_a_SOURCES = gateway/conf/conf.h 

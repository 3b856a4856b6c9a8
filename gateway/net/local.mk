noinst_LIBRARIES += gateway/net/libnet.a
gateway_net_libnet_a_SOURCES = gateway/net/listener.h 

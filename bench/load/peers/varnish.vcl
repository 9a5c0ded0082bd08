vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "@upstream@"; }
sub vcl_recv { return (@action@); }
sub vcl_backend_response { set beresp.do_stream = @stream@; }

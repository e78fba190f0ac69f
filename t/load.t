#!/usr/bin/perl

# Both modules load into a plain nginx, in either variant, and survive
# reload, a killed worker and a binary upgrade.

use strict;
use warnings;
use Test::More;
use AMT::Test;

my $t = AMT::Test->new(workers => 2);

$t->start(http => <<'EOF', stream => <<'EOF2');
    server {
        listen 127.0.0.1:%%PORT:http%%;
        location / { return 200 "it works"; }
    }
EOF
    server { listen 127.0.0.1:%%PORT:stream%%; return ok; }
EOF2

is($t->get('/')->{body}, 'it works', 'nginx with both modules answers');
ok($t->reload, 'reload');
ok($t->kill_worker, 'a killed worker is replaced');
is($t->get('/')->{status}, 200, 'still answers');

my $old = $t->upgrade;
ok($old, 'binary upgrade');
kill 'QUIT', $old;
ok($t->wait_for(sub { AMT::Test::ended($old) }), 'old master is gone');
is($t->get('/')->{status}, 200, 'still answers');

$t->done;

#!/usr/bin/perl

# Memory stays flat over 10 000 connects and disconnects (AMT_CYCLES; fewer
# where a sanitizer or valgrind watches).

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Stub;
use AMT::Test;

my $cycles = $ENV{AMT_CYCLES}
    || { asan => 1000, valgrind => 300 }->{AMT::Test::variant()} || 10_000;
my $devices = 20;

my $t = AMT::Test->new(log_level => 'error');
my $hooks = AMT::Stub->new($t->dir . '/notify.sock');

$hooks->answer('/notify', 204);
$t->certs;
$t->start(stream => <<'EOF', http => <<'EOF2');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/auth.sock:/;
    cira_notify http://unix:%%DIR%%/notify.sock:/notify;
    cira_duplicate 1000000 per 1s;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF
    access_log off;
    server {
        listen unix:%%DIR%%/auth.sock;
        keepalive_requests 1000000;
        location / { return 204; }
    }
EOF2

my ($worker) = $t->workers;

sub run_cycles {
    my ($n) = @_;
    my $build = AMT::Test::build();
    my $out = $t->dir . '/sim.out';

    system('timeout', 150 * AMT::Test::slow(), 'sh', '-c', 'exec "$@" > '
        . "$out 2>&1", 'sim', "$build/amtsim", '--mps',
        '127.0.0.1:' . $t->port('cira'), '--count', $devices, '--cycles',
        int($n / $devices), '--hold', 1, '--stats');

    return $? == 0 ? '' : "exit $?: " . $t->read_file($out);
}

is(run_cycles($cycles / 5), '', 'the first fifth');
sleep 1;
my $early = $t->rss($worker);
my $fds = () = glob "/proc/$worker/fd/*";

is(run_cycles($cycles * 4 / 5), '', 'the rest');
sleep 1;
my $late = $t->rss($worker);

SKIP: {
    # what it frees is kept aside to find late uses
    skip 'a sanitizer or valgrind keeps freed memory', 1
        if AMT::Test::variant();
    cmp_ok($late - $early, '<', 1 << 20,
        "memory is flat ($early, $late bytes)");
}
# a few more connections to the hooks may be kept for the next request
ok($t->wait_for(sub { (() = glob "/proc/$worker/fd/*") <= $fds + 32 }),
    'no descriptor is left open');

$t->done;

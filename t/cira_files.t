#!/usr/bin/perl

# A worker without a free file descriptor: who is there stays, who comes is
# held or told, nothing spins, and all is well again with the first that is
# free.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new(workers => 2);
my $slow = AMT::Test::slow();
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 204);
$t->certs;
$t->start(stream => <<'EOF');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_retry 300ms;
    cira_login_timeout 60s;
    cira_login_sessions 0;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        ssl_handshake_timeout 60s;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF

my $sock = $t->dir . '/cira.sock';
my $guid = '4c4c4544-0001-4d10-8051-00000000000';

ok($t->wait_for(sub { my @s = glob $t->dir . '/cira/*.sock'; @s == 2 }),
    'two workers');
my ($here, $there) = $t->workers;

# No descriptor can be opened: those below the limit are in use.
sub full {
    my ($pid) = @_;
    my %used = map { m{/(\d+)$} ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    my $n = 0;
    $n++ while $used{$n};
    return system("prlimit --pid $pid --nofile=$n:");
}

sub room { system("prlimit --pid $_[0] --nofile=1024:") }

sub ticks {
    my @f = split ' ', $t->read_file("/proc/$_[0]/stat");
    return $f[13] + $f[14];
}

# only one of them can take something new
sub on {
    my ($pid, $code) = @_;
    my ($other) = grep { $_ != $pid } $here, $there;
    $t->stop_workers($other);
    my @got = $code->();
    kill 'CONT', $other;
    return wantarray ? @got : $got[0];
}

sub device {
    my $d = AMT::Apf->connect($t->port('cira')) or return;
    return $d->login('admin', 'x', guid => "$guid$_[0]") ? $d : undef;
}

my $d = on($here, sub { device(1) });
my $e = on($there, sub { device(2) });
ok($d && $e, 'a device on each');

# ---- no descriptor for what the worker itself wants to open --------------------

# the service closes the connection that was kept
$stub->drop('/auth');
on($here, sub { my $x = AMT::Apf->connect($t->port('cira'));
    $x->send(AMT::Apf::version("${guid}9"), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth('admin', 'x')); sleep 0.3; $x->close });
sleep 0.7;
$stub->answer('/auth', 204);

my $late = on($here, sub { my $x = AMT::Apf->connect($t->port('cira'));
    $x->send(AMT::Apf::version("${guid}3"), AMT::Apf::service($AMT::Apf::AUTH));
    $x->expect(6); $x });
is(full($here), 0, 'no descriptor is free');

$late->send(AMT::Apf::userauth('admin', 'x'));
ok(!$late->expect(52, 1), 'a login whose service cannot be asked is held');
like($t->log, qr/cira_auth did not answer|no free connection/, 'the log says so');

my $c = on($here, sub { my $c = AMT::Dial->new($sock, "${guid}2", 16992); sleep 0.5; $c });
is($c && $c->status(0.3), undef, 'nor is a client taken');

my $before = ticks($here);
sleep 1;
cmp_ok(ticks($here) - $before, '<', 60, 'the worker does not spin');
$d->send(AMT::Apf::keepalive(1));
ok($d->expect(209), 'who is there is served');

my @swept = $t->log =~ /worker died/g;
is(scalar @swept, 0, 'nobody took the other worker for dead');

room($here);
ok($late->expect(52, 10 * $slow), 'with descriptors the login goes on');
if ($c) {
    my $m = $e->expect(90, 5 * $slow);
    $e->send(AMT::Apf::confirm($m->{channel}, 1, 100)) if $m;
    is($c->status(5), 200, 'and the client gets its channel');
}
ok((my $n = on($here, sub { device(4) })), 'new devices come');

# ---- a hop without one -----------------------------------------------------------

# what is on its way out must not make room later
$_->close for grep { $_ } $n, $late, $c;
$e->expect(97, 5 * $slow);
ok($t->wait_for(sub { () = $t->log =~ /tunnel closed/g }), 'all but two devices are gone');
sleep 0.3;
$c = on($here, sub { my $c = AMT::Dial->raw($sock, "CONNECT ${guid}2:16992"); sleep 0.3; $c });
full($here);
$c->send(" HTTP/1.1\r\n\r\n");
is($c->status(5 * $slow), 503, 'no descriptor for the hop: busy');
room($here);
$c = on($here, sub { my $c = AMT::Dial->new($sock, "${guid}2", 16992); sleep 0.3; $c });
my $m = $e->expect(90, 5 * $slow);
$e->send(AMT::Apf::confirm($m->{channel}, 2, 100)) if $m;
is($c->status(5), 200, 'with one it works');

$t->allow(qr/accept4?\(\) .*failed \(24|socket\(\) failed \(24/);
$t->done;

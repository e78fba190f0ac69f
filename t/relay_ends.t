#!/usr/bin/perl

# Redirection sessions that end, or must not, from outside: a credential that
# is taken away, a fast stop, devices and browsers that take no bytes.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Mqtt;
use AMT::Redir;
use Digest::SHA qw(sha256_hex);
use Time::HiRes qw(sleep time);

$ENV{PATH} .= ':/usr/sbin:/usr/local/sbin';

my $broker = !system('command -v mosquitto mosquitto_sub >/dev/null 2>&1');
my $slow = AMT::Test::slow();
my $hash = do {
    chomp(my $h = qx(openssl passwd -apr1 -salt abcdefgh Secret-Horse-1));
    $h;
};
my $users = "ann:${hash}::all\nbob:${hash}::all\n";
my %o = (users => $users,
    extra => 'location = /relay/webrelay.ashx { amt_relay; }
        location = /relay/slow { amt_relay; amt_ws_timeout 2s; }
        location = /status { amt_status; }',
    http => $broker ? 'amt_mqtt mqtt://127.0.0.1:%%PORT:mqtt%%;' : '');
my $t = AMT::Api::prepare(%o, test => { workers => 2 });
my $vault = AMT::Vault->new($t->port('vault'));

if ($broker) {
    $broker = AMT::Mqtt->new($t, port => $t->port('mqtt'));
    $broker->start;
    $broker->subscribe('mps/events');
}
$t->start(main => $AMT::Api::main, stream => AMT::Api::stream(%o),
    http => AMT::Api::http(%o));

my %key = %AMT::Api::key;
my $sim = AMT::Api::devices($t, count => 2, reconnect => 50,
    reconnect_max => 200);
my ($guid, $dull) = map { $sim->guid($_) } 0, 1;

sub view {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, %o);
    return $v if $v->{ws}{status} == 101 && $v->login
        && $v->can($v->{kind})->($v);
    diag $v->{ws}{status}, ' ', $v->{error} // '',
        ' ', join ' ', $v->{ws}->wait_close;
    return;
}

sub echo {
    my ($v) = @_;
    $v->type("ver\r");
    return defined $v->shows(qr/ver\r\n\d.*C:\\> /s);
}

sub close_of { my ($v) = @_; $v or return ''; join ' ', $v->{ws}->wait_close }

sub token {
    my ($user) = @_;
    my $r = $t->post('/api/v1/authorize', json => { username => $user,
        password => 'Secret-Horse-1' });
    $r = $t->get("/api/v1/authorize/redirection/$guid",
        headers => { Authorization => "Bearer $r->{json}{token}" });
    return $r->{json}{token};
}

# ---- credentials that are taken away ----

my $gone = '1008 credential is not valid any longer';

sub keys_without {
    my ($re, $more) = @_;
    return join '', (grep { !/$re/ } map { "$_\n" }
        split /\n/, AMT::Api::keys_file()), $more // '';
}

{
    my $v = view(key => $key{redirection});
    my $other = view(key => $key{admin}, kind => 'kvm');
    ok($v && $other, 'two sessions by API keys');
    $t->write_file('api_keys', AMT::Api::keys_file() . "# seen\n", 0600);
    sleep 2.2;
    ok(echo($v), 'a file that was only written does not end it');
    my $start = time;
    $t->write_file('api_keys', keys_without(qr/^redirection:/), 0600);
    is(close_of($v), $gone, 'the key is removed');
    cmp_ok(time - $start, '<', 3 * $slow, 'soon');
    $other->pictures(1);
    ok(length $other->picture, 'the other key\'s session stays');
    $other->{ws}->close;
    is((AMT::Redir->open($t, guid => $guid, key => $key{redirection}))
        ->{ws}{status}, 401, 'the key opens no other');
    ok($t->wait_for(sub { $t->get('/status')->{json}{relay}{ended_revoked}
        == 1 }), 'counted');
    like($t->log, qr/session ended: credential is not valid any longer.*key:redirection/,
        'and logged with its name');
}

for (
    ['another key', 'redirection:' . sha256_hex('else') . ':redirection'],
    ['another tenant', 'redirection:' . sha256_hex($key{redirection})
        . 'T:redirection'],
    ['no scope for it', 'redirection:' . sha256_hex($key{redirection})
        . ':read'],
) {
    my ($name, $line) = @$_;
    $line =~ s/^(redirection:.{64}):?/$1:/;
    $line =~ s/:(\w+)$/::$1/ if $line !~ /:.*:.*:/;
    $t->write_file('api_keys', AMT::Api::keys_file(), 0600);
    my $v;
    $t->wait_for(sub { $v = AMT::Redir->open($t, guid => $guid,
        key => $key{redirection}); $v->{ws}{status} == 101 }, 5);
    ok($v->login && $v->sol, 'a session');
    $t->write_file('api_keys', keys_without(qr/^redirection:/, "$line\n"),
        0600);
    is(close_of($v), $gone, $name);
}
$t->write_file('api_keys', AMT::Api::keys_file(), 0600);

{
    my $v = view(token => token('ann'));
    my $k = view(token => token('bob'), kind => 'kvm');
    ok($v && $k, 'sessions by tokens');
    $t->write_file('users', "bob:${hash}::all\n", 0600);
    is(close_of($v), $gone, 'the token\'s user is removed');
    $k->pictures(1);
    ok(length $k->picture, 'the other one stays');
    $t->write_file('users', '', 0600);
    is(close_of($k), $gone, 'until it is removed');
    $t->write_file('users', $users, 0600);
}

{
    my $v = view(key => $key{admin});
    $t->write_file('api_keys', "not a key file\n", 0600);
    sleep 2.2;
    ok(echo($v), 'a file that is broken takes nothing away');
    $t->write_file('api_keys', AMT::Api::keys_file(), 0600);
    sleep 1.2;
    unlink "$t->{dir}/api_keys";
    sleep 2.2;
    ok(echo($v), 'nor does one that is missing');
    $t->write_file('api_keys', AMT::Api::keys_file(), 0600);
    $v->{ws}->close;
    close_of($v);
}

# ---- a device that takes no bytes, a browser that floods it ----

sub ticks {
    my $n = 0;
    for ($t->workers) {
        my @f = split ' ', $t->read_file("/proc/$_/stat");
        $n += $f[13] + $f[14];
    }
    return $n;
}

sub rss { my $n = 0; $n += $t->rss($_) for $t->workers; return $n }

# some of them in the worker that has the device, some not
$sim->misbehave(1, 'never-adjust');
for my $round (1 .. 3) {
    my $v = view(guid => $dull, key => $key{admin});
    ok($v, 'SOL of a device that gives no window back');
    my $s = $v->{ws}{socket};
    my $sent = 0;
    my $flood = sub {
        my ($max) = @_;
        my $typed = ("\x28\0\0\0" . pack 'Vv/a*', 1, 'x' x 990) x 60;
        my $data = $v->{ws}->frame(0x82, $typed);
        $s->blocking(0);
        while ($sent < $max
            && IO::Select->new($s)->can_write(0.7))
        {
            my $n = syswrite($s, $data) // last;
            $sent += $n;
            substr $data, 0, $n, '';
            $data = $v->{ws}->frame(0x82, $typed) if $data eq '';
        }
        $s->blocking(1);
    };
    my $before = rss();
    $flood->(100_000_000);
    # sockets on the way hold some megabytes
    cmp_ok($sent, '<', 20_000_000, 'the browser is stopped');
    cmp_ok((rss() - $before) / 1024, '<', AMT::Test::variant() ? 4096 : 512,
        'memory stays flat');
    my $ticks = ticks();
    sleep 1.5;
    cmp_ok(ticks() - $ticks, '<', 20 * $slow, 'nothing spins');
    is($t->get("/api/v1/devices/redirectstatus/$dull", key => $key{admin})
        ->{json}{isSOLConnected}, 1, 'the session stays');
    my $w = view(key => $key{admin});
    ok($w && echo($w), 'other sessions work');
    $w->{ws}->close;
    close_of($w);
    close $s;
    ok($t->wait_for(sub { !$t->get("/api/v1/devices/redirectstatus/$dull",
        key => $key{admin})->{json}{isSOLConnected} }, 15 * $slow),
        'until the browser leaves, although its bytes cannot be read');
    my $next;
    ok($t->wait_for(sub {
        $next = AMT::Redir->open($t, guid => $dull, key => $key{admin});
        $next->{ws}{status} == 101 && $next->login && $next->sol
    }, 12 * $slow), 'then the device is free for the next one');
    $next->{ws}->close;
    close_of($next);
}
$sim->misbehave(1, 'off');

# ---- a browser that never reads ----

{
    my $v = view(guid => $dull, key => $key{admin}, kind => 'kvm',
        path => AMT::Redir::path(guid => $dull, kind => 'kvm')
            =~ s/webrelay\.ashx/slow/r);
    ok($v, 'KVM');
    my $before = rss();
    $v->pictures(60);
    my $start = time;
    sleep 1;
    cmp_ok((rss() - $before) / 1024, '<', AMT::Test::variant() ? 4096 : 512,
        'a browser that never reads: memory stays flat');
    ok($t->wait_for(sub { !$t->get("/api/v1/devices/redirectstatus/$dull",
        key => $key{admin})->{json}{isKVMConnected} }, 15 * $slow),
        'its session ends');
    cmp_ok(time - $start, '>', 1.5, 'after amt_ws_timeout');
    like($t->log, qr/session ended: browser does not answer/, 'and is logged');
}

# ---- a worker that is stopped at once ----

sub told {
    my ($name, $re) = @_;
    return grep { $_->{methods}[0] eq $name && $_->{message} =~ $re }
        $broker->events;
}

{
    # one in each worker, so that at least one link crosses workers
    my @v = (view(key => $key{admin}), view(key => $key{admin},
        kind => 'kvm'), view(guid => $dull, key => $key{admin}),
        view(guid => $dull, key => $key{admin}, kind => 'kvm'));
    is(scalar(grep { $_ } @v), 4, 'four sessions');
    my $closed = $broker ? told('handleClose', qr//) : 0;
    my @pids = $t->workers;
    # at once: else one loses its device when the other's worker goes
    $t->stop_workers(@pids);
    kill 'TERM', @pids;
    kill 'CONT', @pids;
    is(close_of($_), '1012 worker is exiting', 'the browser is told') for @v;
    $t->wait_for(sub { my @w = $t->workers;
        my %w = map { $_ => 1 } @w; @w == 2 && !grep { $w{$_} } @pids });
    my $n = () = $t->log =~ /redirection session ended: worker is exiting/g;
    is($n, 4, 'each end is logged');
    SKIP: {
        skip 'no mosquitto', 2 unless $broker;
        ok($t->wait_for(sub {
            told('Redirection_Ended', qr/worker is exiting/) == 4 }, 15),
            'and told') or diag join "\n", $broker->lines;
        is(scalar(told('handleClose', qr//)), $closed + 4,
            'as the contract says');
    }
}

ok($sim->wait_connected(2), 'devices are back');
{
    my $v = view(key => $key{admin});
    ok($v, 'a session');
    my $told = $broker ? told('Redirection_Ended', qr/worker is exiting/) : 0;
    ok($t->stop('TERM'), 'nginx -s stop');
    is(close_of($v), '1012 worker is exiting', 'the browser is told');
    SKIP: {
        skip 'no mosquitto', 1 unless $broker;
        ok($t->wait_for(sub {
            told('Redirection_Ended', qr/worker is exiting/) == $told + 1 },
            5), 'and so is the broker');
    }
}

$sim->stop;
$broker->unsubscribe, $broker->stop if $broker;
AMT::Test::done();

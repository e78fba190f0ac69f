#!/usr/bin/perl

# Devices that do wrong things at every level of the tunnel: the one that
# does is told apart, its neighbour on the same worker does not notice, and
# the device plane keeps to the protocol all the time.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Dial;
use AMT::Sim;
use AMT::Test;
use Digest::MD5 qw(md5_hex);

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new(workers => 1);
my $slow = $t->slow;
my $pace = $t->pace;

$t->certs;
$t->start(stream => <<"EOF", http => <<'EOF2');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hook.sock:/auth;
    cira_login_timeout ${\(2 * $pace)}s;
    cira_connect_timeout ${\(1 * $pace)}s;
    cira_duplicate 1000 per 1s;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF
    server {
        listen unix:%%DIR%%/hook.sock;
        location / { return 204; }
    }
EOF2

my $sock = $t->dir . '/cira.sock';
my $ca = $t->dir . '/root.crt';
my $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'), ca => $ca,
    count => 2, reconnect => 100, reconnect_max => 200);
my ($bad, $good) = map { $sim->guid($_) } 0, 1;
my %auth;

my $body = '<?xml version="1.0"?><Envelope xmlns='
    . '"http://www.w3.org/2003/05/soap-envelope" xmlns:a='
    . '"http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w='
    . '"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><Header><a:Action>'
    . 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:To>'
    . '/wsman</a:To><w:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/'
    . '1/AMT_GeneralSettings</w:ResourceURI><a:MessageID>1</a:MessageID>'
    . '<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing'
    . '/role/anonymous</a:Address></a:ReplyTo></Header><Body/></Envelope>';

sub authorization {
    my ($guid) = @_;
    my $a = $auth{$guid} or return '';
    my $nc = sprintf '%08x', ++$a->{nc};
    my $r = md5_hex(join ':', md5_hex("admin:$a->{realm}:P\@ssw0rd"),
        $a->{nonce}, $nc, 'abcd', 'auth', md5_hex('POST:/wsman'));

    return qq(Authorization: Digest username="admin",realm="$a->{realm}",)
        . qq(nonce="$a->{nonce}",uri="/wsman",qop=auth,nc=$nc,)
        . qq(cnonce="abcd",response="$r"\r\n);
}

# "200": an answer of the device with a proper end, "502": refused by the
# gateway, "end": the tunnel ended too early, "silence": nothing came

sub call {
    my ($guid, $seconds) = @_;

    for (1, 2) {
        my $c = AMT::Dial->new($sock, $guid, 16992);
        my $status = $c->status(5 * $slow) // 'silence';
        return $status if $status ne '200';

        $c->send("POST /wsman HTTP/1.1\r\nHost: x\r\n" . authorization($guid)
            . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

        my $end = time + ($seconds ? $seconds * $pace : 5 * $slow);
        while ($c->{in} !~ m{\r\n0\r\n\r\n\z|</html>\n\z|\nyes\z}) {
            last unless $c->fill($end);
        }

        my $in = $c->{in};
        if ($in =~ m{^HTTP/1\.1 401.*realm="([^"]+)", nonce="([^"]+)"}s) {
            $auth{$guid} = { realm => $1, nonce => $2 };
            next;
        }
        return $c->{eof} ? 'end' : 'silence'
            unless $in =~ m{^HTTP/1\.1 (\d+).*(?:\r\n0\r\n\r\n|\nyes)\z}s;
        return $1;
    }

    return 401;
}

sub settled {
    return $t->wait_for(sub { $sim->stats->{connected} == 2 });
}

ok(settled(), 'two devices') or diag($sim->log), diag($t->log);
is(call($good), 200, 'one answers');
is(call($bad), 200, 'the other, too');

# ---- channels and answers ----------------------------------------------------

for (
    [ 'dup-confirm*1', 200 ], [ 'stale-adjust*1', 200 ],
    [ 'stale-close*1', 200 ], [ 'zero-data*1', 200 ],
    [ 'window=1*1', 200 ], [ 'window-max*1', 200 ],
    [ 'zero-window=100*1', 200 ], [ 'slow-drip=1*1', 200 ],
    [ 'data-after-close*1', 200 ], [ 'bytewise', 200 ],
    [ 'extra-bytes*1', 200 ], [ 'huge-header=70000*1', 200 ],
    [ 'refuse=1*1', 502 ], [ 'refuse=3*1', 502 ],
    [ 'no-confirm*1', 504 ], [ 'close-on-open*1', 'end' ],
    [ 'close-mid*1', 'end' ], [ 'drop-mid*1', 'end' ],
    [ 'half-answer*1', 'silence', 0.5 ], [ 'no-answer*1', 'silence', 0.5 ],
    [ 'never-adjust,window=20', 'silence', 0.5 ],
) {
    my ($what, $want, $seconds) = @$_;

    $sim->misbehave(0, $what);
    my $got = call($bad, $seconds);

    is($got, $want, $what);
    is(call($good), 200, 'the neighbour answers');

    $sim->misbehave(0, 'off');
    $sim->drop(0) if $what =~ /^half/;
    settled() or diag("$what: not back");
}

is(call($bad), 200, 'after all that it answers as ever');

# a channel that is never closed is given up, others go on
$sim->misbehave(0, 'ignore-close');
my $c = AMT::Dial->new($sock, $bad, 16992);
is($c->status, 200, 'a channel');
$c->close;
is(call($bad), 200, 'CLOSE without an answer: the next channel works');
$sim->misbehave(0, 'off');
$sim->drop(0);
settled();

# ---- keepalive ---------------------------------------------------------------

my $before = $sim->stats->{keepalives};
$sim->misbehave(0, 'flood-keepalive=200');
is(call($good), 200, 'the neighbour answers in a flood of keepalives');
is(call($bad), 200, 'the flooder, too');
$sim->misbehave(0, 'off');
ok($t->wait_for(sub { $sim->stats->{keepalives} - $before >= 200 })
    || $sim->state(0)->{cycles}, 'there was a flood');

# ---- bytes that are no protocol ------------------------------------------------

for (
    [ 'an unknown message', 'ff' ], [ 'a second version', 'c0'
        . '00' x 92 ], [ 'a second login', '32 00000001 61 00000001 61'
        . '00000004 6e6f6e65' ], [ 'an endless name', '50 ffffffff' ],
    [ 'an endless DATA', '5e 00000001 7fffffff' ],
    [ 'an endless port', '50 0000000d 74637069702d666f7277617264 01 00000000'
        . 'ffffffff' ],
) {
    my ($what, $hex) = @$_;

    settled();
    $sim->mark;
    $sim->raw(0, $hex);

    if ($what =~ /port/) {
        ok($sim->wait_event('violation', guid => $bad, timeout => 1)
            || $sim->wait_event('disconnected', guid => $bad, timeout => 1)
            || $sim->state(0)->{state} eq 'ready', "$what is no crash");

    } else {
        ok($sim->wait_event('disconnected', guid => $bad), "$what: cut off");
    }

    is(call($good), 200, 'the neighbour answers');
}

# ---- logins ------------------------------------------------------------------

$sim->stop;

for (
    [ 'pipeline', 1 ], [ 'bytewise', 1 ], [ 'pipeline,bytewise', 1 ],
    [ 'two-versions', 0 ], [ 'login-stall', 0 ],
) {
    my ($what, $in) = @$_;

    my $s = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'),
        ca => $ca, misbehave => $what, guid => $bad);
    my $e = $s->wait_event($in ? 'ready' : 'disconnected',
        timeout => 8 * $slow);

    ok($e, "$what: " . ($in ? 'logged in' : 'cut off'));
    ok(!$e->{login}, 'before it was let in') if $e && !$in;
    is(call($bad), 200, 'and answers') if $in;

    my $code = $s->stop;
    is($code, $in ? 0 : 1, 'no violation') or diag $s->log;
}

# a device behind a proxy that asks with "none" first, without want-reply
my $s = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'), ca => $ca,
    guid => $bad, probe_none => 1, no_want_reply => 1);
ok($s->wait_event('ready'), 'probe with none, forwards without an answer');
is(call($bad), 200, 'and answers');
$s->alert(0, 'help' x 300);
is(call($bad), 200, 'an alert does not disturb');

# ---- much data, with and without looking at the window --------------------------

# a serial console, logged in; returns the connection
sub console {
    my ($guid) = @_;
    my $c = AMT::Dial->new($sock, $guid, 16994);
    my ($uri, $ha2) = ('/RedirectionService', md5_hex('POST:/RedirectionService'));
    my $digest = sub {
        my $d = join '', map { pack 'C/a*', $_ } @_;
        $c->send(pack 'CxxxCV/a*', 0x13, 4, $d);
        my ($status, $n) = (unpack 'CCxxCV', $c->read(9))[1, 3];
        return ($status, unpack '(C/a)*', $c->read($n));
    };

    return if ($c->status // '') ne '200';
    $c->send(pack 'CxxxA4', 0x10, 'SOL ');
    $c->read(13);
    my (undef, $realm, $nonce) = $digest->('admin', '', '', $uri, ('') x 4);
    my $r = md5_hex(join ':', md5_hex("admin:$realm:P\@ssw0rd"), $nonce,
        '00000001', 'abcd', 'auth', $ha2);
    my ($status) = $digest->('admin', $realm, $nonce, $uri, 'abcd',
        '00000001', $r, 'auth');
    return if $status;
    $c->send(pack 'VVvvvvvvV', 0x20, 0, 10000, 100, 0, 0, 100, 0, 0);
    $c->read(23);

    return $c;
}

# what the console prints, until it ends with the pattern or stops
sub printed {
    my ($c, $pattern, $pause) = @_;
    my $all = '';

    while ($all !~ $pattern) {
        my $h = $c->read(10);
        last if length $h < 10;
        my (undef, undef, $n) = unpack 'VVv', $h;
        $all .= $c->read($n);
        sleep $pause if $pause && rand() < 0.01;
    }

    return $all;
}

my $n = 3_000_000;
my $want = join '', map { chr 33 + $_ % 90 } 0 .. 89;
$want = substr $want x ($n / 90 + 1), 0, $n;

for my $pause (0, 0.02) {
    $c = console($bad);
    ok($c, 'a serial console') or next;
    printed($c, qr/> \z/);
    my $line = "blast $n\r";
    $c->send(pack 'VVv/a*', 0x28, 1, $line);
    my $got = printed($c, qr/> \z/, $pause);
    ok(index($got, $want) > 0, 'three megabytes, none missing or changed'
        . ($pause ? ', slow reader' : ''));
    $c->close;
}

ok($t->wait_for(sub { !$s->state(0)->{channels} }), 'the channels are closed');
is(() = $s->violations, 0, 'the windows were kept') or diag $s->log;

# it sends more than it may: the channel ends, the worker's memory does not
my ($worker) = $t->workers;
my $rss = $t->rss($worker);
$s->misbehave(0, 'over-window');
$c = console($bad);
if ($c) {
    printed($c, qr/> \z/);
    $s->mark;
    $c->send(pack 'VVv/a*', 0x28, 1, "blast 12000000\r");
    sleep 2 * $pace;                        # and nobody reads
    ok($s->wait_event('close', port => 16994)
        || $s->wait_event('disconnected', timeout => 1),
        'what does not fit the window ends the channel');
    $c->close;
}
cmp_ok($t->rss($worker) - $rss, '<', 4 << 20, 'and is not kept in memory')
    unless AMT::Test::variant();
$s->misbehave(0, 'off');
is($s->stop, 0, 'the gateway kept to the protocol') or diag $s->log;

$t->done;

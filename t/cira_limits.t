#!/usr/bin/perl

# Dialers that do not go on: one that reads nothing loses its channel, one
# whose turn does not come is told so.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

my $slow = AMT::Test::slow();
my $t = AMT::Test->new;
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');
my ($send, $queue) = (2000 * $slow, 2000 * $slow);

$stub->answer('/auth', 204, '');
$t->certs;

my $stream = <<"EOS";
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_connect_send_timeout ${send}ms;
    cira_queue_timeout ${queue}ms;
    cira_channels 1;
    cira_window 80k redirection=1m;
    log_format c '\$cira_connect_status|\$cira_connect_reason';

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:many%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira_channels 64;
        cira;
    }
    server {
        listen unix:%%DIR%%/cira.sock;
        access_log %%DIR%%/logs/connect.log c;
        cira_connect;
    }
EOS

$t->start(stream => $stream);

my $sock = $t->dir . '/cira.sock';
my $guid = '4c4c4544-0001-4d10-8051-000000000001';
my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x', ports => [ 16992, 16994 ]), 'a device connects');

# sends into a channel until the window is used up for half a second
sub flood {
    my ($channel, $window, $total) = @_;
    my $sent = 0;
    while (!$total || $sent < $total) {
        if ($window < 4000) {
            my $m = $d->read(0.5) or last;
            return ($sent, $m) if $m->{type} == 97;
            $window += $m->{bytes_added} if $m->{type} == 93;
            next;
        }
        $d->send(AMT::Apf::data($channel, 'x' x 4000));
        $window -= 4000;
        $sent += 4000;
    }
    return ($sent);
}

# ---- nothing is read ----

my $c = AMT::Dial->new($sock, $guid, 16994);
my $m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 1, 8192));
is($c->status, 200, 'a tunnel');

my $start = time;
my ($sent, $end) = flood($m->{channel}, $m->{window} // 81920);
cmp_ok($sent, '>', 100_000, 'the device fills it');
$end ||= $d->expect(97, 3 * $send / 1000 + 2);
ok($end && $end->{type} == 97, 'a client that reads nothing loses it');
my $took = time - $start;
cmp_ok($took, '>', 0.9 * $send / 1000, 'not at once');
cmp_ok($took, '<', 3 * $send / 1000 + 2, 'but soon');
$d->send(AMT::Apf::close_channel($m->{channel}));
ok($t->wait_for(sub { $t->read_file('logs/connect.log')
    =~ /^200\|client takes no data$/m }), 'the log says why');
$c->close;

# ---- little is read ----

$c = AMT::Dial->new($sock, $guid, 16994);
$m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 2, 8192));
is($c->status, 200, 'another');
($sent, $end) = flood($m->{channel}, $m->{window} // 81920);
my $until = time + 2.5 * $send / 1000;
my $got = 0;
while (time < $until) {
    sleep 0.15 * $send / 1000;
    # more than the socket needs to be writable again
    my $part = $c->read(60_000, 2) or last;
    $got += length $part;
    my ($more) = flood($m->{channel}, 0, 4000);
}
cmp_ok($got, '>=', 180_000, 'a slow reader keeps it');

$c->close;
ok($d->expect(97), 'until it goes');
$d->send(AMT::Apf::close_channel($m->{channel}));

# ---- nothing is read of the last words ----

# how much the kernel takes is its own business: some of these tunnels have a
# rest when the device has closed its channel already
my $many = AMT::Apf->connect($t->port('many'));
my $other = '4c4c4544-0001-4d10-8051-000000000002';
ok($many->login('admin', 'x', guid => $other, ports => [ 16992, 16994 ]),
    'a device with many channels');
my $before = () = $t->read_file('logs/connect.log') =~ /\n/g;
my @mute;
for my $kb (map { 16 * $_ } 4 .. 24) {
    my $c = AMT::Dial->new($sock, $other, 16994);
    my $m = $many->expect(90) or last;
    $many->send(AMT::Apf::confirm($m->{channel}, $kb, 8192));
    is($c->status, 200, "$kb KB for a client that reads nothing");
    $many->send(map({ AMT::Apf::data($m->{channel}, 'x' x 4096) } 1 .. $kb / 4),
        AMT::Apf::close_channel($m->{channel}));
    push @mute, $c;
}
ok($t->wait_for(sub { my $n = () = $t->read_file('logs/connect.log') =~ /\n/g;
    $n - $before == @mute }, 4 * $send / 1000), 'each is closed in time');
like($t->read_file('logs/connect.log'), qr/^200\|device closed the channel$/m,
    'what fits is delivered');
$many->close;

# ---- the others wait ----

$c = AMT::Dial->new($sock, $guid, 16994);
$m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 3, 8192));
is($c->status, 200, 'one has the only channel');

$start = time;
my $w = AMT::Dial->new($sock, $guid, 16992);
my $w2 = AMT::Dial->new($sock, $guid, 16992);
is($w->status(4 * $queue / 1000 + 2), 504, 'who waits too long is told');
cmp_ok(time - $start, '>', 0.9 * $queue / 1000, 'not at once');
is($w2->status(2), 504, 'each of them');
cmp_ok(time - $start, '<', 3 * $queue / 1000 + 2, 'in time');
like($w->eof // $w->{in}, qr/no channel of the device became free in time/,
    'with a reason');

my $w3 = AMT::Dial->new($sock, $guid, 16992);
sleep 0.1 * $queue / 1000;
$c->close;
$d->expect(97) and $d->send(AMT::Apf::close_channel($m->{channel}));
$m = $d->expect(90);
ok($m, 'who has time left has his turn');
$d->send(AMT::Apf::confirm($m->{channel}, 4, 8192)) if $m;
is($w3->status, 200, 'and a channel');

# ---- configuration ----

for my $name ('cira_connect_send_timeout', 'cira_queue_timeout') {
    (my $bad = $stream) =~ s/$name \d+ms/$name 0/;
    my ($ok, $text) = $t->check(stream => $bad);
    ok(!$ok && $text =~ /must not be 0/, "$name 0") or diag $text;
}

$t->done;

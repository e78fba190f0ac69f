#!/usr/bin/perl
# REST: all of a device in one call - the same as its parts, over one
# conversation; parts that fail are told one by one.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(test => { workers => 2 },
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (10 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $old = AMT::Api::devices($t, guid => 'd0000000-0000-4000-8000-000000000001',
    without => 'AMT_RedirectionService,AMT_EthernetPortSettings');
my $guid = $sim->guid(0);

sub snapshot { $t->get("/api/v1/amt/snapshot/$_[0]", key => $key{reader}) }

# what differs between two readings
sub still {
    my ($x) = @_;
    return [map { still($_) } @$x] if ref $x eq 'ARRAY';
    return $x if ref $x ne 'HASH';
    return { map { $_ => still($x->{$_}) }
        grep { $_ !~ /^(MessageID|RelatesTo)$/ } keys %$x };
}

my $r = snapshot($guid);
is($r->{status}, 200, 'snapshot');
is(join(' ', $r->{body} =~ /^\{"(\w+)":/, sort keys %{$r->{json}}),
    'power features hardware network power version', 'parts')
    or diag $r->{body};
for my $p (['power', 'power/state'], ['version', 'version'],
    ['features', 'features'], ['hardware', 'hardwareInfo'],
    ['network', 'networkSettings'])
{
    is_deeply(still($r->{json}{$p->[0]}), still($t->get(
        "/api/v1/amt/$p->[1]/$guid", key => $key{reader})->{json}),
        "$p->[0] is what its own route says");
}

# warm: one channel, no login again

my $before = $sim->state(0);
is(snapshot($guid)->{status}, 200, 'once more');
my $after = $sim->state(0);
cmp_ok($after->{opens} - $before->{opens}, '<=', 1, 'one conversation');
cmp_ok($after->{requests} - $before->{requests}, '<', 60, 'requests');
diag $after->{requests} - $before->{requests}, ' requests, ',
    $after->{opens} - $before->{opens}, ' channels';

# ---- parts that fail ----

$r = snapshot($old->guid(0));
is($r->{status}, 200, 'firmware without some classes');
is_deeply([sort keys %{$r->{json}}], [qw(errors hardware power version)],
    'what it has');
is_deeply([sort keys %{$r->{json}{errors}}], [qw(features network)],
    'what it has not') or diag $r->{body};
is($r->{json}{errors}{features}{status}, 400, 'status of the part');
like($r->{json}{errors}{features}{errorDescription},
    qr/AMT_RedirectionService.*DestinationUnreachable/, 'and its reason');

$sim->misbehave(0, 'fault=1*1@3');
$r = snapshot($guid);
$sim->misbehave(0, 'off');
is_deeply([sort keys %{$r->{json}{errors}}], ['version'],
    'a fault in the second part') or diag $r->{body};

$sim->misbehave(0, 'bad-xml*1@3');
$r = snapshot($guid);
$sim->misbehave(0, 'off');
is($r->{status}, 200, 'an answer that is none');
is_deeply([sort keys %{$r->{json}{errors}}], ['version'], 'spoils one part');

$sim->misbehave(0, 'close-mid*1@3');
$r = snapshot($guid);
$sim->misbehave(0, 'off');
is_deeply([sort keys %{$r->{json}{errors} || {}}], ['version'],
    'a channel that ends: one part');
is($r->{json}{errors}{version}{status}, 504, 'its status');

# silence is not waited for again and again

$sim->misbehave(0, 'no-answer*5@3');
$r = snapshot($guid);
$sim->misbehave(0, 'off');
is($r->{status}, 200, 'no answer any more');
is_deeply([sort keys %{$r->{json}}], [qw(errors power)], 'one part was read')
    or diag $r->{body};
is_deeply({ map { $_ => $r->{json}{errors}{$_}{status} }
    keys %{$r->{json}{errors}} }, { map { $_ => 504 }
    qw(version features hardware network) }, 'the others are 504');

AMT::Fail::routes($t, $sim, 1,
    { path => 'snapshot', scope => 'redirection',
      ask => sub { $t->get("/api/v1/amt/snapshot/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during snapshot request',
      # hardware and network without any class are answers all the same
      except => { fault => qr/^(200|500) / } });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
is($old->stop, 0, 'kept to the protocol') or diag $old->log;

AMT::Test::done();

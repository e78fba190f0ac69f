package AMT::Fail;

# What every route of a connected device answers when something is wrong:
# with the caller, with the device, with its answers.  One table per test:
#
#   AMT::Fail::routes($t, $sim, 0,
#       { path => '/api/v1/amt/features', ask => sub { $t->get(...) },
#         exception => 'Exception ...', failed => 'Text for guid : ' });
#
# ask gets (guid, key => ...) and returns the answer.  scope: a key that lacks
# the route's scope.  except: misbehaviour => qr/^status body/ where the route
# answers something of its own.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use AMT::Test;

sub body {
    my ($title, $text) = @_;
    return qq({"error":"$title","errorDescription":"$text"});
}

sub gone {
    return body('Device not found/connected. Please connect again using '
        . 'CIRA.', "guid : $_[0]");
}

sub routes {
    my ($t, $sim, $n, @routes) = @_;
    my $guid = $sim->guid($n);
    my %key = %AMT::Api::key;
    my $absent = 'b0000000-0000-4000-8000-00000000000f';
    my $slow = AMT::Test::slow();

    for my $r (@routes) {
        my $name = $r->{path};
        my $ask = $r->{ask};
        my $say = sub {
            my ($answer, $want, $what) = @_;
            my $got = "$answer->{status} $answer->{body}";
            local $Test::Builder::Level = $Test::Builder::Level + 1;
            ref $want ? like($got, $want, "$name: $what")
                : is($got, $want, "$name: $what");
        };

        $say->($ask->($absent, key => $key{admin}), '404 ' . gone($absent),
            'not connected');
        $say->($ask->($guid, key => $key{tenant}),
            '401 ' . body('Unauthorized', 'Unauthorized'), 'other tenant');
        is($ask->($guid, key => $key{$r->{scope} || 'none'})->{status},
            $r->{scope} ? 403 : 401, "$name: wrong scope");
        is($ask->($guid)->{status}, 401, "$name: no key");

        my $e500 = '500 ' . body('Internal Server Error', $r->{exception});
        my $e504 = '504 ' . body('Gateway Timeout', $r->{exception});
        my $fault = $r->{failed} ? '400 '
            . body('Incorrect URI or Bad Request', "$r->{failed}$guid.")
            : $e500;

        for my $m (['fault', $fault], ['always-401', $e500],
            ['garbage-http', $e500], ['bad-xml', $e500],
            ['close-mid', $e504], ['no-answer', $e504])
        {
            my $want = $r->{except}{$m->[0]} || $m->[1];
            $sim->misbehave($n, $m->[0]);
            my $start = time;
            my $answer = $ask->($guid, key => $key{admin});
            my $took = time - $start;
            $sim->misbehave($n, 'off');
            $say->($answer, $want, $m->[0]);
            cmp_ok($took, '<', 5.5 * $slow, "$name: does not hang")
                if $m->[0] eq 'no-answer';
        }

        is($t->get("/api/v1/amt/version/$guid", key => $key{admin})
            ->{status}, 200, "$name: the device is well again")
            or diag $sim->violations;
    }
}

1;

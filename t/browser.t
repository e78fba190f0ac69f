#!/usr/bin/perl
# KVM, SOL and IDER of an emulated PC in a real browser, with the public
# toolkit, through the small console page: text typed and echoed, the picture
# compared with what the device draws, the sectors it boots from.

use strict;
use warnings;

use Test::More;
use AMT::Api;
use AMT::Browser;
use Digest::MD5 qw(md5_hex);
use Time::HiRes qw(sleep time);

my $b = AMT::Browser->start or plan skip_all => $AMT::Browser::missing;

my $modules = AMT::Browser::modules();
my $page_dir = AMT::Browser::dir();

# what a person does: user and password, a list of PCs, buttons
my ($t, $vault) = AMT::Api::start(
    test => { workers => 2 },
    users => 'operator:' . crypt('Open-Sesame-1', '$6$rounds=1000$saltsalt$')
        . "::all\n",
    extra => <<"END",
        listen 127.0.0.1:%%PORT:https%% ssl;
        ssl_certificate      %%DIR%%/mps.crt;
        ssl_certificate_key  %%DIR%%/mps.key;

        location = /relay/webrelay.ashx { amt_relay; }

        location = /console/core.bundle.js {
            alias $modules/\@device-management-toolkit/ui-toolkit/bundles/core.bundle.js;
        }
        location /console/ { alias $page_dir/; }
END
    http => 'amt_relay_zone 1m; types { text/html html;
        text/css css; text/javascript js; }');

my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
my $url = 'https://127.0.0.1:' . $t->port('https') . '/console/console.html';

sub status {
    my ($page) = @_;
    return $b->eval($page, 'document.getElementById("status").textContent');
}

sub console {
    my $page = $b->page($url);
    $b->fill($page, '#user', 'operator');
    $b->fill($page, '#password', 'Open-Sesame-1');
    $b->click($page, '#login button');
    $b->wait($page, 'document.getElementById("guid").options.length === 1');
    return $page;
}

# the page's state; a failure shows what the page says
sub until_open {
    my ($page, $mode) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ok = eval { $b->wait($page, "document.getElementById('status')"
        . ".textContent === '$mode is open'"); 1 };
    ok($ok, "$mode opens") or diag status($page), "\n", $@;
    return $ok;
}

my $page = console();
is($b->eval($page, 'document.getElementById("guid").value'), $guid,
    'the connected PC is in the list');

subtest 'SOL: typed, echoed, answered' => sub {
    $b->click($page, '#sol');
    until_open($page, 'sol') or do { diag $sim->log; return };
    my $text = 'document.getElementById("terminal").textContent';
    $b->wait($page, "$text.includes('C:')");
    pass('the prompt');
    $b->cmd(do => 'eval', page => $page,
        js => 'document.getElementById("terminal").focus()');
    $b->type($page, 'hello');
    $b->press($page, 'Enter');
    $b->wait($page, "$text.includes('hello') && "
        . "$text.includes('bad command: hello')");
    pass('echo and answer');
    is($b->eval($page, "$text.includes('P\@ssw0rd')"), JSON::PP::false,
        'no password in it');
    $b->click($page, '#stop');
    ok($sim->wait_event('redirection', state => 'end'), 'ended at the PC');
};

subtest 'KVM: the picture is the one the PC draws' => sub {
    $b->click($page, '#kvm');
    until_open($page, 'kvm') or return;
    $b->wait($page, <<'END');
        (() => {
            const s = document.getElementById('screen');
            const p = s.getContext('2d').getImageData(0, 0, s.width, s.height);
            return p.data[4 * (300 * s.width + 600)] > 0;
        })()
END
    # 8 bits a pixel: 3 red, 3 green, 2 blue, widened as the toolkit does
    my $bad = $b->eval($page, <<'END');
        (() => {
            const s = document.getElementById('screen');
            const w = s.width, h = s.height;
            const p = s.getContext('2d').getImageData(0, 0, w, h).data;
            const bad = [];
            let bar = 0;

            for (let y = 0; y < h; y++) {
                for (let x = 0; x < w; x++) {
                    const i = 4 * (y * w + x);
                    const red = Math.floor(x * 7 / w) << 5;
                    const green = Math.floor(y * 7 / h) << 5;

                    if (p[i + 2] > 200) {
                        bar++;
                        continue;
                    }

                    if (p[i] !== red || p[i + 1] !== green || p[i + 2]) {
                        bad.push([x, y, p[i], p[i + 1], p[i + 2]]);
                    }
                }
            }

            return { w, h, bar, bad: bad.length, some: bad.slice(0, 3) };
        })()
END
    is("$bad->{w} $bad->{h}", '640 400', 'size');
    is($bad->{bad}, 0, 'every pixel outside of the bar')
        or diag explain $bad;
    cmp_ok($bad->{bar}, '>=', 8 * 400, 'a bar');
    cmp_ok($bad->{bar}, '<=', 3 * 8 * 400, 'no more than it is wide');

    my $hash = <<'END';
        (() => {
            const s = document.getElementById('screen');
            const p = s.getContext('2d').getImageData(0, 0, s.width, 1).data;
            let x = 0;
            while (x < s.width && p[4 * x + 2] <= 200) { x++; }
            return x;
        })()
END
    my $one = $b->eval($page, $hash);
    my ($end, $two) = (time + 10, $one);
    while ($two == $one && time < $end) {
        sleep 0.1;
        $two = $b->eval($page, $hash);
    }
    isnt($two, $one, 'the bar moves');

    my $mark = $sim->mark;
    my $clicked;
    # a page that is busy with late pictures may miss one where valgrind watches
    for (1 .. AMT::Test::pace()) {
        $b->click($page, '#screen', 100, 50);
        $clicked = $sim->wait_event('pointer', buttons => 1, timeout => 10)
            and last;
    }
    ok($clicked, 'a click reaches the PC');
    $b->press($page, 'a');
    ok($sim->wait_event('key', key => 97, down => 1), 'and a key');
    $b->click($page, '#stop');
    ok($sim->wait_event('redirection', type => 'kvm', state => 'end'),
        'ended at the PC') or diag explain [$sim->events];
};

subtest 'IDER: the sectors the PC reads' => sub {
    my $image = join '', map { pack('N', $_) x 512 } 1 .. 200;
    $t->write_file('boot.iso', $image);
    $b->file($page, '#image', "$t->{dir}/boot.iso");
    $b->click($page, '#ider');
    my $e = $sim->wait_event('ider', blocks => 200)
        or diag status($page), explain [$sim->events];
    is($e ? $e->{md5} : '', md5_hex($image), 'all of it, unchanged');
    $b->click($page, '#stop');
};

subtest 'two browsers, one screen' => sub {
    $b->click($page, '#kvm');
    until_open($page, 'kvm') or return;
    my $other = console();
    $b->click($other, '#kvm');
    $b->wait($other, 'document.getElementById("status").className === "bad"');
    like(status($other), qr/kvm ended/, 'the second is refused');
    is(status($page), 'kvm is open', 'the first goes on');
    $b->close($other);

    $sim->mark;
    $sim->drop(0);
    $b->wait($page, 'document.getElementById("status").className === "bad"');
    like(status($page), qr/ended/, 'the PC is lost: the page is told');
    $sim->connect(0);
    ok($sim->wait_event('ready'), 'it comes back');
    $b->click($page, '#kvm');
    until_open($page, 'kvm');
    $b->click($page, '#stop');
};

subtest 'a reload does not end a session' => sub {
    my $text = 'document.getElementById("terminal").textContent';
    $b->click($page, '#sol');
    until_open($page, 'sol') or return;
    $b->wait($page, "$text.includes('C:')");
    $t->reload;
    $b->type($page, 'after');
    $b->press($page, 'Enter');
    $b->wait($page, "$text.includes('bad command: after')");
    pass('it goes on in the old worker');
    $b->click($page, '#stop');
};

$b->close($page);
$b->stop;
$sim->stop;
$t->stop;

AMT::Test::done();

package AMT::Browser;

# A headless Chromium, driven through t/browser/driver.js.
#
#   my $b = AMT::Browser->start or plan skip_all => $AMT::Browser::missing;
#   my $page = $b->page("https://127.0.0.1:$port/console/console.html");
#   $b->click($page, '#kvm');
#   $b->wait($page, 'document.title == "x"');
#
# A command that fails dies, with the page's console in the text.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Handle;
use IPC::Open2;
use JSON::PP;

our $missing = '';

my $dir = abs_path(dirname(__FILE__) . '/../../browser');
my $json = JSON::PP->new->utf8;

sub start {
    my ($class) = @_;

    my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
    my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};

    $missing = !$node ? 'node is not installed'
        : !$chromium ? 'chromium is not installed'
        : !-d "$dir/node_modules" ? 'npm packages of t/browser are missing'
        : '';
    return if $missing;

    my ($out, $in);
    my $pid = open2($out, $in, $node, "$dir/driver.js", $chromium);
    my $self = bless { pid => $pid, in => $in, out => $out,
        owner => $$ }, $class;

    my $hello = $self->_answer;
    die "browser: $hello->{error}" unless $hello->{ready};

    return $self;
}

sub modules { return "$dir/node_modules" }
sub dir { return $dir }

sub _answer {
    my ($self) = @_;
    local $SIG{ALRM} = sub { die "browser does not answer\n" };
    alarm 60;
    my $line = readline $self->{out};
    alarm 0;
    die "browser is gone\n" unless defined $line;
    return $json->decode($line);
}

sub cmd {
    my ($self, %o) = @_;
    my $in = $self->{in};
    print $in $json->encode(\%o), "\n";
    $in->flush;
    my $r = $self->_answer;
    return $r unless exists $r->{error};
    my $log = '';
    if (defined $o{page} && $o{do} ne 'log') {
        my $l = eval { $self->cmd(do => 'log', page => $o{page}) };
        $log = join "\n", @{$l->{value} || []} if $l;
    }
    die "browser: $o{do}: $r->{error}\n$log";
}

sub page { my ($s, $url) = @_; $s->cmd(do => 'page', url => $url)->{page} }
sub eval {
    my ($s, $p, $js) = @_;
    return $s->cmd(do => 'eval', page => $p, js => $js)->{value};
}
sub fill {
    my ($s, $p, $at, $text) = @_;
    $s->cmd(do => 'fill', page => $p, at => $at, text => $text);
}
sub file {
    my ($s, $p, $at, $path) = @_;
    $s->cmd(do => 'file', page => $p, at => $at, text => $path);
}
sub click {
    my ($s, $p, $at, $x, $y) = @_;
    $s->cmd(do => 'click', page => $p, at => $at,
        defined $x ? (x => $x + 0, y => $y + 0) : ());
}
sub type { my ($s, $p, $t) = @_; $s->cmd(do => 'type', page => $p, text => $t) }
sub press { my ($s, $p, $t) = @_; $s->cmd(do => 'press', page => $p, text => $t) }
sub wait {
    my ($s, $p, $js, $ms) = @_;
    $s->cmd(do => 'wait', page => $p, js => $js, ms => ($ms || 15000) + 0);
}
sub close { my ($s, $p) = @_; $s->cmd(do => 'close', page => $p) }

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    CORE::close $self->{in};
    local $?;
    my $n = 0;
    until (waitpid($self->{pid}, 1) == $self->{pid}) {
        kill 'KILL', $self->{pid} if ++$n == 50;
        select undef, undef, undef, 0.1;
    }
    delete $self->{pid};
}

sub DESTROY { $_[0]->stop }

1;

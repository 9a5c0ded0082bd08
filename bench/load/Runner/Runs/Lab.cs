using System.Globalization;
using Tidegate.Load.Peers;

namespace Tidegate.Load.Runs;

/// <summary>Starts upstreams, proxies and generators, each pinned to its core, and ends them all.</summary>
internal sealed class Lab : IDisposable
{
    private const int FirstPort = 19400;

    private readonly List<IDisposable> _running = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("tidegate-load-").FullName;
    private readonly string _self = Path.Combine(AppContext.BaseDirectory, "load-runner");
    private readonly LoadCertificate _certificate;
    private int _nextPort = FirstPort;
    private int _upstream;
    private int _tlsUpstream;

    public Lab(LoadOptions options)
    {
        Options = options;
        _certificate = new LoadCertificate(_folder);
        Traffic = new Generators(options, _self);
    }

    public LoadOptions Options { get; }

    public Generators Traffic { get; }

    /// <summary>Starts a proxy in front of the upstream and waits until it answers.</summary>
    public RunningPeer Start(Peer peer, PeerSetup setup)
    {
        var place = new PeerPlace(_nextPort++, UpstreamPort(setup.UpstreamTls), Directory.CreateDirectory(Path.Combine(_folder, $"{_nextPort}")).FullName, _certificate);
        var running = new RunningPeer(peer, setup, place, new PinnedProcess(Options.ProxyCore, peer.Start(setup, place)));
        _running.Add(running);
        running.AwaitReady();
        return running;
    }

    public void Stop(RunningPeer peer)
    {
        _running.Remove(peer);
        peer.Dispose();
        Directory.Delete(peer.Folder, recursive: true);
    }

    public void Dispose()
    {
        _running.Reverse();
        foreach (var running in _running)
        {
            running.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private int UpstreamPort(bool isTls)
    {
        if (!isTls)
        {
            if (_upstream == 0)
            {
                _upstream = _nextPort++;
                var process = new PinnedProcess(Options.LoadCore, new PeerCommand(_self, "upstream", _upstream.ToString(CultureInfo.InvariantCulture)));
                _running.Add(process);
                process.ReadLine();
            }

            return _upstream;
        }

        if (_tlsUpstream == 0)
        {
            _tlsUpstream = _nextPort++;
            var folder = Directory.CreateDirectory(Path.Combine(_folder, "tls-upstream")).FullName;
            var file = TlsUpstream.Configure(new PeerPlace(_tlsUpstream, 0, folder, _certificate));
            _running.Add(new PinnedProcess(Options.LoadCore, new PeerCommand("nginx", "-c", file, "-p", folder)));
            RunningPeer.AwaitPort(_tlsUpstream);
        }

        return _tlsUpstream;
    }
}

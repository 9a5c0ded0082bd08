using System.Globalization;
using System.Text;

namespace Tidegate.Load.Peers;

/// <summary>The shipped process in its Release build, with a file of bench/load/tidegate and nothing else.</summary>
internal sealed class TidegatePeer(string variant = "") : Peer
{
    public override string Name => variant.Length == 0 ? "**Tidegate**" : $"Tidegate, {variant}";

    public override string Package => "built by bench/load/run";

    public override double WarmUpSeconds => 20;

    public override string? Version() => File.Exists(Binary) ? System.Diagnostics.FileVersionInfo.GetVersionInfo(Binary + ".dll").ProductVersion?.Split('+')[0] : null;

    public override bool Can(PeerSetup setup) => true;

    public override PeerCommand Start(PeerSetup setup, PeerPlace place)
    {
        var file = Path.Combine(place.Folder, "tidegate.yaml");
        File.WriteAllText(file, File.ReadAllText(Repository.File($"bench/load/tidegate/{setup.Tidegate}.yaml")) + Routes(setup.Routes));
        return new PeerCommand(Binary, "run", "--config", file)
        {
            Environment =
            {
                ["LOAD_ADDRESS"] = $"127.0.0.1:{place.Port}",
                ["LOAD_UPSTREAM"] = $"{(setup.UpstreamTls ? "https" : "http")}://127.0.0.1:{place.UpstreamPort}",
                ["LOAD_CERTIFICATE"] = place.Certificate.ChainFile,
                ["LOAD_KEY"] = place.Certificate.KeyFile,
                ["LOAD_API_KEY"] = ApiKey,
            },
        };
    }

    /// <summary>What bench/load/tidegate/key.yaml expects of its one consumer.</summary>
    public const string ApiKey = "key-of-billing-4f8a1c7730d94b1e";

    private static string Binary => Repository.File("src/Tidegate.Host/bin/Release/net10.0/Tidegate.Host");

    private static string Routes(int count)
    {
        var apis = new StringBuilder();
        for (var i = 0; i < count; i++)
        {
            apis.Append(CultureInfo.InvariantCulture, $$"""
                  - { name: api{{i}}, direction: ingress, hosts: [load.test], path: /api{{i}}, upstream: { destinations: ["${env:LOAD_UPSTREAM}"], protocol: http1 } }

                """);
        }

        return apis.ToString();
    }
}

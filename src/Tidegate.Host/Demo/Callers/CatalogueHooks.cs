using System.Security.Cryptography;
using System.Text;
using Tidegate.Host.Demo.Apis;

namespace Tidegate.Host.Demo.Callers;

/// <summary>The catalogue tells of products that have changed, signed; one in twenty is somebody who only pretends to be the catalogue.</summary>
internal sealed class CatalogueHooks : ICallerGroup
{
    public Rhythm CallsPerSecond { get; } = new("07:00 0.4, 08:00 1.5, 12:00 1.5");

    public DemoCall Next(DemoRandom random, TimeOnly clock)
    {
        var product = CatalogueApi.Changed(clock.Hour, random);
        var content = $$"""{"event":"product.changed","product":{{product}}}""";
        var key = random.Chance(0.05) ? "guessed-by-somebody" : DemoKeys.CatalogueHooks;
        return new DemoCall("catalogue-provider", CallRoute.Ingress, "POST", "/hooks/catalogue") { Key = "", Content = content, Signature = ("X-Catalogue-Signature", Sign(content, key)) };
    }

    /// <summary>Whether the gateway takes the call's signature for the catalogue's.</summary>
    public static bool IsSigned(DemoCall call) => call.Signature?.Value == Sign(call.Content!, DemoKeys.CatalogueHooks);

    private static string Sign(string content, string key) => Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(content)));
}

using Microsoft.AspNetCore.Http;

namespace Tidegate.Host.Demo.Apis;

/// <summary>Somebody's API, played on loopback.</summary>
internal interface ISimulatedApi
{
    /// <summary>The name of its port file, and of its API in the configuration.</summary>
    string Name { get; }

    /// <summary>The name that callers use; null for a service of our own, which speaks cleartext.</summary>
    string? Host { get; }

    Task AnswerAsync(HttpContext context);
}

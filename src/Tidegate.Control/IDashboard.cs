using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;

namespace Tidegate.Control;

/// <summary>The pages that people look at, on the admin listener. Behind the listener's own checks; it alone decides who is signed in.</summary>
internal interface IDashboard : IAsyncDisposable
{
    /// <summary>Whether a path is one of its own. Everything else is the admin API's.</summary>
    bool Has(PathString path);

    /// <summary>Answers a request for one of its paths.</summary>
    /// <param name="context">The request.</param>
    /// <param name="token">The one that people sign in with; null: nobody has to.</param>
    Task HandleAsync(HttpContext context, Secret? token);
}

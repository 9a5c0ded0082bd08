using Microsoft.AspNetCore.Http;
using Tidegate.Control.Admin;

namespace Tidegate.Control;

/// <summary>The pages that people look at, on the admin listener. Behind the listener's own checks; it alone decides who is signed in.</summary>
internal interface IDashboard : IAsyncDisposable
{
    /// <summary>Before the first request: takes back who was signed in when the last process ended.</summary>
    void Start(AdminAccess access);

    /// <summary>Whether a path is one of its own. Everything else is the admin API's.</summary>
    bool Has(PathString path);

    /// <summary>Answers a request for one of its paths.</summary>
    /// <param name="context">The request.</param>
    /// <param name="access">Who may.</param>
    Task HandleAsync(HttpContext context, AdminAccess access);

    /// <summary>Who is signed in and asks for something that is not the dashboard's; null: nobody is.</summary>
    AdminCaller? Who(HttpContext context, AdminAccess access);

    /// <summary>When whoever asks is not signed in any more.</summary>
    CancellationToken SessionEnd(HttpContext context, AdminAccess access);

    /// <summary>Another configuration is in force: sessions that it would not have begun end.</summary>
    void Apply(AdminAccess access);
}

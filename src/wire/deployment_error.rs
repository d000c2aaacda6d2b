//! Error codes and error types of a failed deployment, as fleet status, jobs and the command line spell them.

use std::fmt;

macro_rules! error_codes {
    // One table: the variant, its spelling on every wire, and the type the reference nucleus gives it.
    ($($variant:ident $text:literal $kind:ident),+ $(,)?) => {
        /// What went wrong. A deployment reports a stack of these, from the general to the specific.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ErrorCode {
            $($variant,)+
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Who is to blame; `None` for codes too general to say.
            pub const fn error_type(self) -> Option<ErrorType> {
                match self {
                    $(Self::$variant => error_codes!(@kind $kind),)+
                }
            }
        }
    };
    (@kind None) => { None };
    (@kind $kind:ident) => { Some(ErrorType::$kind) };
}

error_codes! {
    DeploymentFailure "DEPLOYMENT_FAILURE" None,
    DeploymentRejected "DEPLOYMENT_REJECTED" None,
    DeploymentInterrupted "DEPLOYMENT_INTERRUPTED" None,
    ArtifactDownloadError "ARTIFACT_DOWNLOAD_ERROR" None,
    NoAvailableComponentVersion "NO_AVAILABLE_COMPONENT_VERSION" None,
    ComponentPackageLoadingError "COMPONENT_PACKAGE_LOADING_ERROR" None,
    RejectedStaleDeployment "REJECTED_STALE_DEPLOYMENT" None,
    CloudApiError "CLOUD_API_ERROR" None,
    IoError "IO_ERROR" None,
    IoMappingError "IO_MAPPING_ERROR" None,
    NucleusMissingRequiredCapabilities "NUCLEUS_MISSING_REQUIRED_CAPABILITIES" RequestError,
    ComponentCircularDependencyError "COMPONENT_CIRCULAR_DEPENDENCY_ERROR" RequestError,
    UnauthorizedNucleusMinorVersionUpdate "UNAUTHORIZED_NUCLEUS_MINOR_VERSION_UPDATE" RequestError,
    MissingDockerApplicationManager "MISSING_DOCKER_APPLICATION_MANAGER" RequestError,
    MissingTokenExchangeService "MISSING_TOKEN_EXCHANGE_SERVICE" RequestError,
    ComponentVersionRequirementsNotMet "COMPONENT_VERSION_REQUIREMENTS_NOT_MET" RequestError,
    MultipleNucleusResolvedError "MULTIPLE_NUCLEUS_RESOLVED_ERROR" RequestError,
    RunWithConfigNotValid "RUN_WITH_CONFIG_NOT_VALID" RequestError,
    IoWriteError "IO_WRITE_ERROR" DeviceError,
    IoReadError "IO_READ_ERROR" DeviceError,
    DiskSpaceCritical "DISK_SPACE_CRITICAL" DeviceError,
    IoFileAttributeError "IO_FILE_ATTRIBUTE_ERROR" DeviceError,
    SetPermissionError "SET_PERMISSION_ERROR" DeviceError,
    IoUnzipError "IO_UNZIP_ERROR" DeviceError,
    LocalRecipeNotFound "LOCAL_RECIPE_NOT_FOUND" DeviceError,
    LocalRecipeCorrupted "LOCAL_RECIPE_CORRUPTED" DeviceError,
    LocalRecipeMetadataNotFound "LOCAL_RECIPE_METADATA_NOT_FOUND" DeviceError,
    HashingAlgorithmUnavailable "HASHING_ALGORITHM_UNAVAILABLE" DeviceError,
    LaunchDirectoryCorrupted "LAUNCH_DIRECTORY_CORRUPTED" DeviceError,
    DeviceConfigNotValidForArtifactDownload "DEVICE_CONFIG_NOT_VALID_FOR_ARTIFACT_DOWNLOAD" DeviceError,
    RecipeParseError "RECIPE_PARSE_ERROR" ComponentRecipeError,
    RecipeMetadataParseError "RECIPE_METADATA_PARSE_ERROR" ComponentRecipeError,
    ArtifactUriNotValid "ARTIFACT_URI_NOT_VALID" ComponentRecipeError,
    S3ArtifactUriNotValid "S3_ARTIFACT_URI_NOT_VALID" ComponentRecipeError,
    DockerArtifactUriNotValid "DOCKER_ARTIFACT_URI_NOT_VALID" ComponentRecipeError,
    EmptyArtifactUri "EMPTY_ARTIFACT_URI" ComponentRecipeError,
    EmptyArtifactScheme "EMPTY_ARTIFACT_SCHEME" ComponentRecipeError,
    UnsupportedArtifactScheme "UNSUPPORTED_ARTIFACT_SCHEME" ComponentRecipeError,
    RecipeMissingManifest "RECIPE_MISSING_MANIFEST" ComponentRecipeError,
    RecipeMissingArtifactHashAlgorithm "RECIPE_MISSING_ARTIFACT_HASH_ALGORITHM" ComponentRecipeError,
    ArtifactChecksumMismatch "ARTIFACT_CHECKSUM_MISMATCH" ComponentRecipeError,
    ComponentDependencyNotValid "COMPONENT_DEPENDENCY_NOT_VALID" ComponentRecipeError,
    ConfigInterpolateError "CONFIG_INTERPOLATE_ERROR" ComponentRecipeError,
    ComponentVersionNotValid "COMPONENT_VERSION_NOT_VALID" ComponentRecipeError,
    NetworkError "NETWORK_ERROR" NetworkError,
    HttpRequestError "HTTP_REQUEST_ERROR" HttpError,
    NucleusRestartFailure "NUCLEUS_RESTART_FAILURE" NucleusError,
    ComponentLoadFailure "COMPONENT_LOAD_FAILURE" NucleusError,
    DeploymentDocumentNotValid "DEPLOYMENT_DOCUMENT_NOT_VALID" NucleusError,
    EmptyDeploymentRequest "EMPTY_DEPLOYMENT_REQUEST" NucleusError,
    DeploymentDocumentParseError "DEPLOYMENT_DOCUMENT_PARSE_ERROR" NucleusError,
    ComponentMetadataNotValidInDeployment "COMPONENT_METADATA_NOT_VALID_IN_DEPLOYMENT" NucleusError,
    CustomPluginNotSupported "CUSTOM_PLUGIN_NOT_SUPPORTED" UserComponentError,
    ComponentUpdateError "COMPONENT_UPDATE_ERROR" ComponentError,
    ComponentBroken "COMPONENT_BROKEN" ComponentError,
    RemoveComponentError "REMOVE_COMPONENT_ERROR" ComponentError,
    ComponentBootstrapTimeout "COMPONENT_BOOTSTRAP_TIMEOUT" ComponentError,
    ComponentBootstrapError "COMPONENT_BOOTSTRAP_ERROR" ComponentError,
    ComponentConfigurationNotValid "COMPONENT_CONFIGURATION_NOT_VALID" ComponentError,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who has to act on an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorType {
    ComponentError,
    ComponentRecipeError,
    DeviceError,
    HttpError,
    NetworkError,
    NucleusError,
    RequestError,
    UserComponentError,
}

impl ErrorType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ComponentError => "COMPONENT_ERROR",
            Self::ComponentRecipeError => "COMPONENT_RECIPE_ERROR",
            Self::DeviceError => "DEVICE_ERROR",
            Self::HttpError => "HTTP_ERROR",
            Self::NetworkError => "NETWORK_ERROR",
            Self::NucleusError => "NUCLEUS_ERROR",
            Self::RequestError => "REQUEST_ERROR",
            Self::UserComponentError => "USER_COMPONENT_ERROR",
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Codes from general to specific; the first is always one of the three `DEPLOYMENT_*` codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorStack(Vec<ErrorCode>);

impl ErrorStack {
    /// A stack below `DEPLOYMENT_FAILURE`.
    pub fn failure(codes: &[ErrorCode]) -> Self {
        let mut stack = vec![ErrorCode::DeploymentFailure];
        stack.extend_from_slice(codes);
        Self(stack)
    }

    pub fn codes(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// The types of the codes, each once, in the order of the stack.
    pub fn types(&self) -> Vec<String> {
        let mut types = Vec::new();
        for kind in self.0.iter().filter_map(|code| code.error_type()) {
            let text = kind.to_string();
            if !types.contains(&text) {
                types.push(text);
            }
        }
        types
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_names_each_type_once_when_codes_share_it() {
        let stack = ErrorStack::failure(&[
            ErrorCode::NoAvailableComponentVersion,
            ErrorCode::ComponentVersionRequirementsNotMet,
            ErrorCode::MultipleNucleusResolvedError,
        ]);
        assert_eq!(
            stack.codes(),
            [
                "DEPLOYMENT_FAILURE",
                "NO_AVAILABLE_COMPONENT_VERSION",
                "COMPONENT_VERSION_REQUIREMENTS_NOT_MET",
                "MULTIPLE_NUCLEUS_RESOLVED_ERROR"
            ]
        );
        assert_eq!(stack.types(), ["REQUEST_ERROR"]);
    }
}
